"""uvicorn's side of one request, taking header lines that are known to be good as they are.

uvicorn searches the name and the value of every header of every answer for characters that must not be there. A dozen
headers of ours never change, and looking at them again costs as much as a small handler. So whoever adds them hands
them over as finished lines, under `LINES` in the start message; every other header is looked at as ever.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from serve_app.edge.arrival import LINES

KEPT_NAMES: Final = 256

_names: dict[bytes, bytes] = {}
"""Names of headers that were looked at, in lower case: handlers use a few dozen."""


class ReadyCycle(RequestResponseCycle):
    """Writes the same bytes as uvicorn's own, with `LINES` among them. Has no access log."""

    _rendered: tuple[list[tuple[bytes, bytes]], bytes] = ([], b"")
    """uvicorn's own headers (the date), which it replaces by another list every second, and their lines."""

    async def send(self, message: Any) -> None:
        """Take one ASGI message."""
        if self.response_started or message["type"] != "http.response.start":
            await super().send(message)
            return
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._start(message)

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
        self.transport.write(b"".join(content))

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
