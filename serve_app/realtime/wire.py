"""How messages become bytes on one kind of transport: an encoding and a framing.

Everything that all clients of a wire read is the same bytes, built once and written to each.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from actors.protocol.codec import Codec
from actors.protocol.json_codec import JSON
from actors.protocol.protobuf_codec import PROTOBUF

MESSAGES_PER_FRAME: Final = 64
FRAME_BYTES: Final = 65_536
"""Messages are joined into frames up to these bounds; one message that is longer travels alone."""

_TEXT: Final = 0x81
_BINARY: Final = 0x82


@dataclass(frozen=True, slots=True, eq=False)
class Wire:
    """One encoding on one framing."""

    name: str
    codec: Codec
    frame: Callable[[bytes], bytes]
    between: bytes = b""
    """What separates frames that are written at once."""
    is_emulated: bool = False
    """Carries replies only: the client's commands come by requests of their own."""

    def pack(self, messages: Sequence[bytes]) -> bytes:
        """Messages as the bytes to write: one frame or, for many, several."""
        if len(messages) == 1:
            return self.frame(messages[0])
        return self.between.join(self.frame(self.codec.join(part)) for part in _parts(messages))


class Socket(Protocol):
    """A transport as the hub sees it. Writing never blocks."""

    @property
    def wire(self) -> Wire:
        """What to write on it."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Write packed bytes."""

    def expect(self, size: int) -> None:
        """An answer of this size may wait beside the usual bound; 0: no more."""

    def ping(self) -> None:
        """Send a ping of the transport's own. Called only for sockets that were opened with `native_ping`."""

    @property
    def queued(self) -> int:
        """Bytes written and not yet taken by the peer."""

    def close(self, code: int, reason: str) -> None:
        """End with a code; what was written before goes out first, unless the peer does not read."""


def _parts(messages: Iterable[bytes]) -> Iterable[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for message in messages:
        if part and (len(part) >= MESSAGES_PER_FRAME or size + len(message) > FRAME_BYTES):
            yield part
            part, size = [], 0
        part.append(message)
        size += len(message) + 1
    yield part


def websocket_frame(first: int, payload: bytes) -> bytes:
    """One final, unmasked WebSocket frame (RFC 6455 §5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return bytes((first, 126, length >> 8, length & 255)) + payload
    return bytes((first, 127)) + length.to_bytes(8, "big") + payload


def _text_frame(payload: bytes) -> bytes:
    return websocket_frame(_TEXT, payload)


def _binary_frame(payload: bytes) -> bytes:
    return websocket_frame(_BINARY, payload)


def _payload(payload: bytes) -> bytes:
    return payload


def _line(payload: bytes) -> bytes:
    return payload + b"\n"


def _events(payload: bytes) -> bytes:
    """One event per message: a newline in a payload can only stand between two messages.

    A carriage return, white space between the values of somebody's JSON, would end a line of the event too.
    """
    return b"data: " + payload.replace(b"\r", b" ").replace(b"\n", b"\n\ndata: ") + b"\n\n"


def chunk(content: bytes) -> bytes:
    """One chunk of an HTTP/1.1 body (RFC 9112 §7.1): whole messages, which proxies pass on as they come."""
    return b"%x\r\n%b\r\n" % (len(content), content)


JSON_WEBSOCKET: Final = Wire("json/websocket", JSON, _text_frame)
"""Text frames ready for the socket."""

JSON_MESSAGES: Final = Wire("json/messages", JSON, _payload, b"\n")
"""Payloads for a transport that frames by itself: an ASGI server's `send`, one call per write."""

PROTOBUF_WEBSOCKET: Final = Wire("protobuf/websocket", PROTOBUF, _binary_frame)
"""Binary frames ready for the socket."""

PROTOBUF_MESSAGES: Final = Wire("protobuf/messages", PROTOBUF, _payload)
"""Payloads, length-prefixed and so joined without a separator."""

JSON_STREAM: Final = Wire("json/http_stream", JSON, lambda payload: chunk(_line(payload)), is_emulated=True)
"""One message per line, in chunks ready for the transport."""

JSON_STREAM_BODY: Final = Wire("json/http_stream-body", JSON, _line, is_emulated=True)
"""The same for an ASGI server that makes chunks by itself."""

PROTOBUF_STREAM: Final = Wire("protobuf/http_stream", PROTOBUF, chunk, is_emulated=True)
"""Length-prefixed messages, in chunks ready for the transport."""

PROTOBUF_STREAM_BODY: Final = Wire("protobuf/http_stream-body", PROTOBUF, _payload, is_emulated=True)
"""The same for an ASGI server that makes chunks by itself."""

EVENTS: Final = Wire("json/sse", JSON, lambda payload: chunk(_events(payload)), is_emulated=True)
"""Server-sent events, in chunks ready for the transport."""

EVENTS_BODY: Final = Wire("json/sse-body", JSON, _events, is_emulated=True)
"""The same for an ASGI server that makes chunks by itself."""
