"""Errors that services raise. They carry a stable code and no HTTP status: routers, actors and jobs all raise them."""

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """A business rule said no.

    `code` is stable, snake_case and unique per class: clients branch on it. `details` is JSON-compatible and safe to
    show. A class with `keeps_changes = True` is raised *after* changes that must outlive the refusal (a counted failed
    login, a revoked token family): `Database.transaction` commits, then lets it through. `field` names
    the value that is refused, as a path such as `lines.0.quantity`; empty: it is about no value of the request.
    """

    code: ClassVar[str] = "domain_error"
    default_message: ClassVar[str] = "The request was refused."
    keeps_changes: ClassVar[bool] = False
    field: str = ""

    def __init__(self, message: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        self.message = message or self.default_message
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.message)


class NotFound(DomainError):
    """The row does not exist, or the caller may not know that it does."""

    code = "not_found"
    default_message = "There is no such resource."


class Conflict(DomainError):
    """The current state of the data forbids it."""

    code = "conflict"
    default_message = "The current state of the resource forbids this."


class PreconditionFailed(DomainError):
    """The caller acted on a version that is no longer the newest (If-Match)."""

    code = "version_mismatch"
    default_message = "The resource changed since it was read."


class Unauthenticated(DomainError):
    """Who is asking could not be established."""

    code = "unauthenticated"
    default_message = "Sign in first."


class PermissionDenied(DomainError):
    """Known who is asking, and they may not."""

    code = "permission_denied"
    default_message = "You may not do this."


class InvalidInput(DomainError):
    """A value is outside what the service accepts."""

    code = "invalid_input"
    default_message = "A value is not acceptable."

    def __init__(self, message: str = "", *, field: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details=details)
        self.field = field


class TooManyRequests(DomainError):
    """A limit was reached; `retry_after_s` says when to come back."""

    code = "too_many_requests"
    default_message = "Too many requests."

    def __init__(
        self, message: str = "", *, retry_after_s: float = 1.0, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.retry_after_s = retry_after_s


class Unavailable(DomainError):
    """Nothing is wrong with the request: try again in `retry_after_s`."""

    code = "unavailable"
    default_message = "The service cannot answer at the moment."

    def __init__(
        self, message: str = "", *, retry_after_s: float = 1.0, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.retry_after_s = retry_after_s


class DatabaseUnavailable(Unavailable):
    """Postgres cannot be reached, is starting, or refused another connection. Nothing was acknowledged."""

    code = "database_unavailable"
    default_message = "The database cannot be reached at the moment."


class DatabaseBusy(Unavailable):
    """The transaction lost a deadlock, or waited too long for a lock. Nothing was changed."""

    code = "database_busy"
    default_message = "The database is busy; try again."
