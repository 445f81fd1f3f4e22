"""No request body may take more memory than this."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.errors import ContentTooLarge, domain_problem
from serve_app.middleware.context import request_headers

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Far above any body of ours; 50 concurrent ones still fit a small replica."""


class BodyLimitMiddleware:
    """Refuses by Content-Length before reading, and counts what comes without one."""

    def __init__(self, app: ASGIApp, *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        length = request_headers(scope).get(b"content-length")
        if length is not None and length.isdigit():
            if int(length) > self._max_bytes:
                await domain_problem(scope, ContentTooLarge())(scope, receive, send)
                return
            await self._app(scope, receive, send)
            return
        taken = 0

        async def receive_counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._max_bytes:
                    raise HTTPException(ContentTooLarge.status, ContentTooLarge.default_message)
            return message

        await self._app(scope, receive_counted, send)
