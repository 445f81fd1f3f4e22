"""What layers want to say in the response, written once.

Each layer that wrapped `send` would cost two more coroutines per request. So one layer, the outermost, wraps it; the
others leave notes.
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTES = "mobula.response"
"""Scope key."""

Header = tuple[bytes, bytes]


@dataclass(slots=True)
class ResponseNotes:
    """Headers to add, headers to add unless the handler has set them, and the status once it is sent (0 before)."""

    headers: list[Header] = field(default_factory=list)
    defaults: list[Header] = field(default_factory=list)
    status: int = 0


def response_notes(scope: Scope) -> ResponseNotes:
    """The notes of this request."""
    notes: ResponseNotes = scope[NOTES]
    return notes


class ResponseNotesMiddleware:
    """Begins the notes and writes them into the response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        notes = scope[NOTES] = ResponseNotes()

        # No coroutine of its own: it returns the server's.
        def send_noted(message: Message) -> Any:
            if message["type"] == "http.response.start":
                notes.status = message["status"]
                headers = [*message.get("headers", ()), *notes.headers]
                if notes.defaults:
                    present = {name for name, _ in headers}
                    headers += [header for header in notes.defaults if header[0] not in present]
                message["headers"] = headers
            return send(message)

        await self._app(scope, receive, send_noted)
