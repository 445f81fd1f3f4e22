"""WebSocket frames by bytes (RFC 6455), the little that a load client needs.

A load generator that shares two cores with the server must cost less than the server does per message, so frames are
cut out of the received bytes without copying and client frames are masked with the zero key, which is valid on the
wire and leaves the payload as it is.
"""

from collections.abc import Iterator

TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

ZERO_MASK = b"\x00\x00\x00\x00"


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One final, masked frame."""
    length = len(payload)
    first = 0x80 | opcode
    if length < 126:
        return bytes((first, 0x80 | length)) + ZERO_MASK + payload
    if length < 1 << 16:
        return bytes((first, 0xFE)) + length.to_bytes(2, "big") + ZERO_MASK + payload
    return bytes((first, 0xFF)) + length.to_bytes(8, "big") + ZERO_MASK + payload


def upgrade_request(host: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    """The opening handshake. The nonce is fixed: nothing here defends against caching proxies."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: bW9idWxhLWxvYWQtdGVzdA==",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class FrameReader:
    """Cuts whole frames out of a stream of chunks."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    @property
    def is_empty(self) -> bool:
        """Whether no part of a frame is kept."""
        return not self._rest

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes, int, int]]:
        """Yield (opcode, buffer, start, end) of each whole frame: the payload is `buffer[start:end]`.

        Raises ValueError for a fragmented frame, which our server never sends.
        """
        data = self._rest + chunk if self._rest else chunk
        size = len(data)
        at = 0
        while size - at >= 2:
            first, length = data[at], data[at + 1] & 0x7F
            start = at + 2
            if length == 126:
                if size - at < 4:
                    break
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                start = at + 4
            elif length == 127:
                if size - at < 10:
                    break
                length = int.from_bytes(data[at + 2 : at + 10], "big")
                start = at + 10
            end = start + length
            if end > size:
                break
            if not first & 0x80 or not first & 0x0F:
                raise ValueError("fragmented frame")
            yield first & 0x0F, data, start, end
            at = end
        self._rest = data[at:] if at else data
