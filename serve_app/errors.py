"""Errors as HTTP shows them: RFC 9457 problems, for every status and from every layer."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from cluster.logging import get_logger
from db.errors import (
    Conflict,
    DomainError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from serve_app.mistakes import words_of
from serve_app.openapi_parts import PROBLEM_MEDIA_TYPE
from serve_app.statuses import phrase_of

logger = get_logger(__name__)

STATUSES: dict[type[DomainError], int] = {
    InvalidInput: 422,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    TooManyRequests: 429,
    Unavailable: 503,
}
"""The one place that knows which status a domain error has."""

WWW_AUTHENTICATE = 'Bearer realm="mobula"'


class HttpError(DomainError):
    """An error that only HTTP knows. `status` is its status."""

    status: ClassVar[int] = 400


class PreconditionRequired(HttpError):
    """An unsafe request without If-Match."""

    code = "precondition_required"
    default_message = "Send If-Match with the ETag that you read, so that nobody's change is overwritten unseen."
    status = 428


class NotAcceptable(HttpError):
    """A version that does not exist."""

    code = "unknown_version"
    default_message = "There is no such version of this API; the present one is 1."
    status = 406


class ContentTooLarge(HttpError):
    """A body beyond the limit."""

    code = "content_too_large"
    default_message = "The request body is too large."
    status = 413


class AuthenticationRequired(Unauthenticated):
    """No credential."""

    code = "authentication_required"
    default_message = "Sign in first: this needs an access token, a session cookie or an API key."


class CredentialInvalid(Unauthenticated):
    """A credential that is wrong, revoked or forged."""

    code = "credential_invalid"
    default_message = "The credential is not valid."


class CredentialExpired(Unauthenticated):
    """A credential whose time is over; refreshing helps."""

    code = "token_expired"
    default_message = "The access token has expired; refresh it."


class TooManyWrongKeys(TooManyRequests):
    """This address has shown too many API keys that are not valid."""

    code = "too_many_wrong_keys"
    default_message = "Too many invalid API keys came from this address; wait a little."


class RequestForged(PermissionDenied):
    """An unsafe request by cookie that may come from a foreign page."""

    code = "csrf_failed"
    default_message = "Requests with cookies need the header 'X-Mobula-CSRF: 1' and must come from our own pages."


def status_of(error: DomainError) -> int:
    """The HTTP status of a domain error: its own, or that of its nearest base class."""
    if isinstance(error, HttpError):
        return error.status
    for base in type(error).__mro__:
        if base in STATUSES:
            return STATUSES[base]
    return 400


def code_of_status(status: int) -> str:
    """The code of an error that has nothing but a status: `method_not_allowed`."""
    return re.sub(r"[^a-z]+", "_", phrase_of(status).lower()).strip("_")


def title_of(code: str) -> str:
    """A code as people read it."""
    return code.replace("_", " ").capitalize()


def problem_response(
    scope: Scope,
    status: int,
    *,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] | None = None,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Response:
    """An error response. Errors are never cached."""
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": title_of(code),
        "status": status,
        "detail": detail,
        "instance": scope.get("path", ""),
        "code": code,
        "request_id": scope.get("request_id", ""),
    }
    if errors is not None:
        body["errors"] = list(errors)
    for name, value in (extensions or {}).items():
        body.setdefault(name, value)
    sent = {"Cache-Control": "no-store", **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        sent.setdefault("WWW-Authenticate", WWW_AUTHENTICATE)
    return Response(orjson.dumps(body, default=str), status, sent, PROBLEM_MEDIA_TYPE)


def domain_problem(scope: Scope, error: DomainError) -> Response:
    """The response to a domain error."""
    headers: dict[str, str] = {}
    errors: list[dict[str, str]] | None = None
    if isinstance(error, TooManyRequests | Unavailable):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if error.field or isinstance(error, InvalidInput):
        pointer = "#/" + error.field.replace(".", "/") if error.field else "#"
        errors = [{"pointer": pointer, "code": error.code, "message": error.message}]
    return problem_response(
        scope,
        status_of(error),
        code=error.code,
        detail=error.message,
        errors=errors,
        headers=headers,
        extensions=error.details,
    )


def validation_problem(scope: Scope, error: RequestValidationError) -> Response:
    """422, with a pointer for every mistake. Values are not echoed: they may be passwords."""
    items = [
        {
            "pointer": _pointer(mistake["loc"]),
            "code": str(mistake["type"]),
            "message": words_of(mistake),
        }
        for mistake in error.errors()
    ]
    count = len(items)
    detail = "One thing in the request is not valid." if count == 1 else f"{count} things in the request are not valid."
    return problem_response(scope, 422, code="validation_failed", detail=detail, errors=items)


def _pointer(location: Sequence[str | int]) -> str:
    where, *path = location
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in path]
    return "#/" + "/".join(parts if where == "body" else [str(where), *parts])


def http_problem(scope: Scope, error: HTTPException) -> Response:
    """The response to an exception of the framework: unknown path, method, media type."""
    detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).description
    phrase = HTTPStatus(error.status_code).phrase  # as Starlette fills it in
    described = HTTPStatus(error.status_code).description or phrase
    return problem_response(
        scope,
        error.status_code,
        code=code_of_status(error.status_code),
        detail=f"{described}." if detail == phrase else detail,
        headers=error.headers,
    )


def internal_problem(scope: Scope) -> Response:
    """500. What happened is in the log under the request id, and nowhere else."""
    return problem_response(
        scope,
        500,
        code="internal_error",
        detail="Something went wrong on our side. Quote the request id when you report it.",
    )


def install(app: FastAPI) -> None:
    """Register the handlers that turn every exception into a problem."""

    async def on_domain_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, DomainError)  # noqa: S101 - tells the type checker what it is registered for
        return domain_problem(request.scope, error)

    async def on_validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return validation_problem(request.scope, error)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        return http_problem(request.scope, error)

    async def on_exception(request: Request, error: Exception) -> Response:
        logger.error("request failed", exc_info=error)
        return internal_problem(request.scope)

    app.add_exception_handler(DomainError, on_domain_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_exception)
