"""uvicorn's side of one request: header lines that are known to be good are taken as they are, and an answer that comes
in one piece leaves in one.

uvicorn searches the name and the value of every header of every answer for characters that must not be there. A dozen
headers of ours never change, and looking at them again costs as much as a small handler. So whoever adds them hands
them over as finished lines, under `LINES` in the start message; every other header is looked at as ever.

uvicorn also sends the head as soon as it is known, by a system call of its own; where the length is known, the body
follows at once, and one call does for both.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from serve_app.edge.arrival import LINES

KEPT_NAMES: Final = 256

_names: dict[bytes, bytes] = {}
"""Names of headers that were looked at, in lower case: handlers use a few dozen."""


class ReadyCycle(RequestResponseCycle):
    """Writes the same bytes as uvicorn's own, with `LINES` among them. Has no access log."""

    _head = b""
    """A head that waits for its body."""

    _rendered: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")
    """uvicorn's own headers (the date), which it replaces by another list every second, and their lines."""

    async def send(self, message: Any) -> None:
        """Take one ASGI message."""
        if self.response_started:
            if not (self._head and message["type"] == "http.response.body" and self._finish(message)):
                await super().send(message)
            return
        if message["type"] != "http.response.start":
            await super().send(message)  # which says what is wrong
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._start(message)

    def _finish(self, message: Any) -> bool:
        """Send the head, and the body with it when it is complete; False when uvicorn has to see to the message."""
        head, self._head = self._head, b""
        if self.disconnected:
            return False
        body = message.get("body", b"")
        if message.get("more_body") or len(body) != self.expected_content_length or self.flow.write_paused:
            self.transport.write(head)
            return False
        self.transport.writelines([head, body] if body else [head])
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        return True

    def _start(self, message: Any) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        status: int = message["status"]
        content = [STATUS_LINE[status], self._default_lines(), message.get(LINES, b"")]
        closes = False
        for given, value in message.get("headers", ()):
            name = _names.get(given) or _checked(given)
            if HEADER_VALUE_RE.search(value):
                raise RuntimeError("Invalid HTTP header value.")
            if name == b"content-length" and self.chunked_encoding is None:
                self.expected_content_length = int(value)
                self.chunked_encoding = False
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self.expected_content_length = 0
                self.chunked_encoding = True
            elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                self.keep_alive = False
                closes = True
            content += (name, b": ", value, b"\r\n")
        if not self.keep_alive and not closes:
            content.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            content.append(b"transfer-encoding: chunked\r\n")
        content.append(b"\r\n")
        head = b"".join(content)
        if self.chunked_encoding is False and self.scope["method"] != "HEAD":
            self._head = head
        else:
            self.transport.write(head)

    def _default_lines(self) -> bytes:
        headers, lines = ReadyCycle._rendered
        if headers is not self.default_headers:
            lines = b"".join(b"%b: %b\r\n" % (name.lower(), value) for name, value in self.default_headers)
            ReadyCycle._rendered = (self.default_headers, lines)
        return lines


def _checked(given: bytes) -> bytes:
    if HEADER_RE.search(given):
        raise RuntimeError("Invalid HTTP header name.")
    name = given.lower()
    if len(_names) < KEPT_NAMES:
        _names[given] = name
    return name
