"""Every error code there is, with what it means."""

from http import HTTPStatus

from db.errors import DomainError
from serve_app.errors import code_of_status, status_of

FRAMEWORK = {
    "validation_failed": (422, "Something in the request is not valid. `errors` points at each mistake."),
    "internal_error": (500, "Something went wrong on our side. The request id leads us to it."),
}


def catalogue() -> dict[str, tuple[int, str]]:
    """Code → (HTTP status, meaning), of every domain error that this process has imported."""
    found = dict(FRAMEWORK)
    for status in (400, 404, 405, 413, 415, 416):
        found[code_of_status(status)] = (status, HTTPStatus(status).description or HTTPStatus(status).phrase)
    waiting = [DomainError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind.code != DomainError.code:
            found[kind.code] = (status_of(kind()), kind.default_message)
    return found
