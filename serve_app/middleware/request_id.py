"""A name for every request: in its logs, its errors, its answer, and in the audit trail of what it does."""

import itertools
import re
import secrets
from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import STRUCTLOG_KEY_PREFIX

from db.audit.callers import CALLER, Caller
from serve_app.middleware.context import AddressFinder, request_headers
from serve_app.middleware.response import response_notes

ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{8,64}")
"""What a caller may choose as an id: nothing that could forge a log line."""


_bound: ContextVar[str] = ContextVar(f"{STRUCTLOG_KEY_PREFIX}request_id")
"""What `bind_contextvars(request_id=…)` would set, after looking for it by name among all others."""

_process: Final = secrets.token_hex(8)
_numbers = itertools.count(secrets.randbits(32))


def mint() -> str:
    """32 hexadecimal digits: half of them the process's, drawn at random, half counted. A name, not a secret."""
    return f"{_process}{next(_numbers):016x}"


class RequestIdMiddleware:
    """Takes X-Request-ID from the caller when it is harmless, mints one otherwise, and sends it back."""

    def __init__(self, app: ASGIApp, *, addresses: AddressFinder) -> None:
        self._app = app
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = request_headers(scope).get(b"x-request-id")
        request_id = given.decode() if given is not None and ACCEPTABLE.fullmatch(given) else mint()
        scope["request_id"] = request_id
        _bound.set(request_id)  # the server runs each request in a context of its own
        response_notes(scope).headers.append((b"x-request-id", request_id.encode()))
        calling = CALLER.set(Caller(self._addresses.find(scope) or None, request_id))
        try:
            await self._app(scope, receive, send)
        finally:
            CALLER.reset(calling)
