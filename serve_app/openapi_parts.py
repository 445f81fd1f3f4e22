"""Pieces of documentation that routers attach to their operations; `serve_app.openapi` puts them in place."""

from collections.abc import Callable
from typing import Any, TypeVar

from serve_app.schemas import Problem

_F = TypeVar("_F", bound=Callable[..., Any])

PUBLIC: dict[str, Any] = {"security": []}
"""`openapi_extra` of an operation that needs no credential. Every other one under /api/ needs one."""

PROBLEM_MEDIA_TYPE = "application/problem+json"

MEANINGS = {
    400: "The request cannot be understood.",
    401: "No credential, or one that is not valid (any more).",
    403: "The credential does not allow this.",
    404: "There is no such thing, or it is not yours to see.",
    406: "No such version of the API.",
    409: "It contradicts what is there.",
    412: "It has changed since you read it.",
    413: "The body is too large.",
    422: "Something in the request is not valid; `errors` says what.",
    428: "Send If-Match with the ETag that you read.",
    429: "Too many requests; Retry-After says when to come back.",
    503: "Not available just now; Retry-After says when to come back.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of an operation: these statuses carry a Problem."""
    return {
        status: {
            "description": MEANINGS[status],
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
        for status in statuses
    }


LOGIN: dict[str, Any] = {"security": [{"bearer": []}, {"cookie": []}]}
"""What the document says of an operation for people who signed in: API keys are refused, whatever their scopes."""


def permitted(permission: str) -> dict[str, Any]:
    """What the document says of an operation that needs a permission."""
    return {"x-permission": permission}


def key_permitted(permission: str) -> dict[str, Any]:
    """What the document says of an operation that people need no permission for, and API keys this one."""
    return {"x-key-permission": permission}


def declares(extra: dict[str, Any]) -> Callable[[_F], _F]:
    """Mark a dependency with the `openapi_extra` of every operation that has it (`routing.register` reads it)."""

    def mark(dependency: _F) -> _F:
        dependency.declared = extra  # type: ignore[attr-defined]  # a function's own attribute
        return dependency

    return mark


CACHED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Cache-Version",
            "in": "header",
            "required": False,
            "description": "`Cache-Version` of an answer to a write of yours: the answer is then not older than that.",
            "schema": {"type": "string"},
        }
    ]
}
"""`openapi_extra` of an operation that is answered from the cache."""

ETAG_HEADER: dict[str, Any] = {"ETag": {"description": "The resource's version.", "schema": {"type": "string"}}}
LOCATION_HEADER: dict[str, Any] = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}
