"""No request body may take more memory than this, nor longer than it needs."""

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.edge.body import READ_S
from serve_app.errors import ContentTooLarge, domain_problem
from serve_app.middleware.context import request_headers

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
"""Far above any body of ours; 50 concurrent ones still fit a small replica."""

LEAST_BYTES_PER_S: Final = 8 * 1024
"""What arrives earns time at this rate, beyond the first `READ_S`."""


class BodyLimitMiddleware:
    """Refuses by Content-Length before reading, counts what comes without one, and does not wait for trickles."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES, read_s: float = READ_S) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._read_s = read_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        length = request_headers(scope).get(b"content-length")
        if length is not None and length.isdigit() and int(length) > self._max_bytes:
            await domain_problem(scope, ContentTooLarge())(scope, receive, send)
            return
        await self._app(scope, _Body(receive, self._max_bytes, self._read_s).receive, send)


class _Body:
    """The request's messages until its body is complete; then whatever comes, whenever it comes."""

    __slots__ = ("_due", "_is_complete", "_max_bytes", "_read_s", "_receive", "_taken")

    def __init__(self, receive: Receive, max_bytes: int, read_s: float) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._read_s = read_s
        self._due = 0.0
        self._taken = 0
        self._is_complete = False

    async def receive(self) -> Message:
        """The next message. Raises HTTPException (413, 408)."""
        if self._is_complete:
            return await self._receive()
        self._due = self._due or asyncio.get_running_loop().time() + self._read_s
        try:
            async with asyncio.timeout_at(self._due + self._taken / LEAST_BYTES_PER_S):
                message = await self._receive()
        except TimeoutError:
            # What is left of the body would be taken for the next request.
            raise HTTPException(408, "The body did not arrive in time.", {"Connection": "close"}) from None
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            if self._taken > self._max_bytes:
                raise HTTPException(ContentTooLarge.status, ContentTooLarge.default_message)
            self._is_complete = not message.get("more_body", False)
        return message
