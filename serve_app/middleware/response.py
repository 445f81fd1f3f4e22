"""What layers want to say in the response, written once.

Each layer that wrapped `send` would cost two more coroutines per request. So one layer, the outermost, wraps it; the
others leave notes.
"""

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.edge.arrival import LINES

NOTES = "mobula.response"
"""Scope key."""

Header = tuple[bytes, bytes]


class HeaderBlock:
    """Headers that never change, with the lines that they are in an answer."""

    def __init__(self, *headers: Header) -> None:
        """Only what the code says itself: no server looks at the lines again."""
        self.headers = headers
        self.lines = b"".join(b"%b: %b\r\n" % header for header in headers)


class ResponseNotes:
    """What to add: blocks that never change, headers, and headers unless the handler has set them.

    `status`: that of the answer once it is sent, 0 before.
    """

    __slots__ = ("blocks", "defaults", "headers", "status")

    def __init__(self) -> None:
        self.blocks: list[HeaderBlock] = []
        self.headers: list[Header] = []
        self.defaults: list[Header] = []
        self.status = 0


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
        takes_lines = LINES in scope.get("extensions", ())

        # No coroutine of its own: it returns the server's.
        def send_noted(message: Message) -> Any:
            if message["type"] == "http.response.start":
                notes.status = message["status"]
                headers = [*message.get("headers", ()), *notes.headers]
                if notes.defaults:
                    present = {name for name, _ in headers}
                    headers += [header for header in notes.defaults if header[0] not in present]
                if takes_lines:
                    message[LINES] = b"".join([block.lines for block in notes.blocks])
                else:
                    headers += [header for block in notes.blocks for header in block.headers]
                message["headers"] = headers
            return send(message)

        await self._app(scope, receive, send_noted)
