"""Every error code there is, with what it means."""

from http import HTTPStatus

from db.errors import DomainError
from serve_app.errors import code_of_status, status_of

FRAMEWORK = {
    "validation_failed": (422, "Something in the request is not valid. `errors` points at each mistake."),
    "internal_error": (500, "Something went wrong on our side. The request id leads us to it."),
}

EDGE = {
    "bad_gateway": (502, "The process that was to answer ended meanwhile. What changes nothing may be asked again."),
    "connect_rate": (503, "Too many clients connect at this moment; `Retry-After` says when there is room."),
    "connect_rate_per_address": (429, "This address connects too often."),
    "connection_limit": (503, "The process holds as many connections as it may."),
    "connections_per_address": (429, "This address holds as many connections as it may on this node."),
    "gateway_timeout": (504, "The process that was to answer did not."),
    "not_implemented": (501, "Nobody here knows this method."),
    "origin_not_allowed": (403, "Pages of this origin may not connect: see `BACKEND_CORS_ORIGINS`."),
    "request_timeout": (408, "The body did not arrive in time."),
    "unauthenticated_per_address": (429, "Too many connections of this address have not authenticated."),
}
"""Answers given before any application has seen the request, by HAProxy (`cluster.ray_runtime.haproxy_wrapper`) or by
the edge."""


def catalogue() -> dict[str, tuple[int, str]]:
    """Code → (HTTP status, meaning), of every domain error that this process has imported, and of the edge."""
    found = FRAMEWORK | EDGE
    for status in (400, 404, 405, 413, 415, 416):
        found[code_of_status(status)] = (status, HTTPStatus(status).description or HTTPStatus(status).phrase)
    waiting = [DomainError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind.code != DomainError.code:
            found[kind.code] = (status_of(kind()), kind.default_message)
    return found
