"""A name for every request: in its logs, its errors, its answer."""

import re
import secrets

from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from serve_app.middleware.context import request_headers
from serve_app.middleware.response import response_notes

ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{8,64}")
"""What a caller may choose as an id: nothing that could forge a log line."""


class RequestIdMiddleware:
    """Takes X-Request-ID from the caller when it is harmless, mints one otherwise, and sends it back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = request_headers(scope).get(b"x-request-id")
        encoded = given if given is not None and ACCEPTABLE.fullmatch(given) else secrets.token_hex(16).encode()
        request_id = encoded.decode()
        scope["request_id"] = request_id
        bind_contextvars(request_id=request_id)  # the server runs each request in a context of its own
        response_notes(scope).headers.append((b"x-request-id", encoded))
        await self._app(scope, receive, send)
