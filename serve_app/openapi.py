"""The OpenAPI document: what FastAPI derives, and what it cannot know. `python -m serve_app.openapi` prints it."""

import re
import sys
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from serve_app.openapi_parts import PROBLEM_MEDIA_TYPE, problems
from serve_app.schemas import Problem, ProblemItem

TITLE = "Mobula"
VERSION = "1.0.0"
DESCRIPTION = """\
REST interface of Mobula. Errors are `application/problem+json` (RFC 9457); amounts are text; times are UTC.

Credentials: `Authorization: Bearer <access token>`, the cookies of `mode: "cookie"` (unsafe methods then also need the
header `X-Mobula-CSRF: 1`), or `X-API-Key`. The version can also be named by `Accept: application/vnd.mobula.v1+json` or
`?version=1` on `/api/…`. Realtime speaks the Centrifugal protocol v2 at `/connection/websocket`.
"""
SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "mobula_access"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
TAGS: list[dict[str, Any]] = [
    {"name": "auth", "description": "Registration, login sessions, API keys."},
    {"name": "second_factor", "description": "Two-step sign-in: authenticator apps and recovery codes."},
    {"name": "passkeys", "description": "Passkeys (WebAuthn): one's own, and signing in with them."},
    {"name": "users", "description": "Accounts."},
    {"name": "directory", "description": "Finding people."},
    {"name": "products", "description": "The catalogue."},
    {"name": "orders", "description": "Orders and their way."},
    {"name": "conversations", "description": "Conversations and messages."},
    {"name": "notifications", "description": "What a person should know."},
    {"name": "exports", "description": "Data sets as files."},
    {"name": "jobs", "description": "Background jobs, for operators."},
    {"name": "mailbox", "description": "Mail that a development machine would have sent."},
    {"name": "audit", "description": "Who did what that security depends on."},
    {"name": "dashboard", "description": "Figures."},
    {"name": "realtime", "description": "Tokens for the WebSocket; realtime processes and connections, for operators."},
    {"name": "health", "description": "Health checks."},
    {"name": "operations", "description": "Metrics, keys, problem pages."},
]
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def operation_id(route: APIRoute) -> str:
    """`<tag>-<name>`: stable when paths move, and readable in generated clients."""
    return f"{route.tags[0]}-{route.name}" if route.tags else route.name


def build_openapi(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What to assign to `app.openapi`: the finished document, made once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = finish(
                get_openapi(
                    title=TITLE,
                    version=VERSION,
                    description=DESCRIPTION,
                    routes=app.routes,
                    tags=TAGS,
                    servers=[{"url": "/"}],
                    license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
                    separate_input_output_schemas=False,
                )
            )
        return app.openapi_schema

    return openapi


def finish(document: dict[str, Any]) -> dict[str, Any]:
    """Add credentials and problem responses to every operation, and drop FastAPI's own error schemas."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES
    schemas = components.setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    template = "#/components/schemas/{model}"
    for model in (ProblemItem, Problem):
        schema = model.model_json_schema(ref_template=template)
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    components["schemas"] = dict(sorted(schemas.items()))
    document["security"] = [{name: []} for name in SECURITY_SCHEMES]
    for path, item in document["paths"].items():
        for method in METHODS:
            if operation := item.get(method):
                _finish_operation(path, operation)
    return document


def _finish_operation(path: str, operation: dict[str, Any]) -> None:
    text = operation.get("description", "").strip()
    if text:
        operation["summary"] = re.split(r"(?<=[^.])[.:](?:\s|$)", text, maxsplit=1)[0]
    responses = operation["responses"]
    takes_input = bool(operation.get("parameters") or operation.get("requestBody"))
    responses.pop("422", None)
    added: list[int] = [422] if takes_input else []
    if path.startswith("/api/"):
        added += [429, 503]
        if operation.get("security") != []:
            added += [401, 403]
    for status, response in problems(*added).items():
        responses.setdefault(str(status), response)
    responses["default"] = {
        "description": "Any other error.",
        "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    operation["responses"] = dict(sorted(responses.items()))


def render(document: dict[str, Any]) -> bytes:
    """The document as it is committed: indented, keys in FastAPI's order."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main() -> None:
    """Print the document of an application that has no services behind it."""
    from cluster.settings import Settings  # noqa: PLC0415
    from serve_app.app import build_app  # noqa: PLC0415 - the application imports this module

    sys.stdout.buffer.write(render(build_app(Settings(environment="development")).openapi()))


if __name__ == "__main__":
    main()
