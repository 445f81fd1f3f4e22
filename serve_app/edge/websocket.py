"""uvicorn's WebSocket protocol, handing its transport and its messages to the hub.

Once a connection is adopted no ASGI machinery is left: frames go to the hub from `data_received`, prepared bytes go to
the transport, and no task or coroutine exists for the connection (DESIGN D2, D3).
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame

from actors.protocol.codes import DISCONNECT_SHUTDOWN, DISCONNECT_SLOW
from serve_app.edge.arrival import EXTENSION, Arrival
from serve_app.realtime.flushing import QUEUE_BYTES
from serve_app.realtime.hub import Hub
from serve_app.realtime.peer import Peer
from serve_app.realtime.wire import Wire, websocket_frame

CLOSE_HANDSHAKE_S: Final = 5.0
"""A peer that does not answer our close frame is cut after this long."""

SLOW_CLOSE_S: Final = 1.0
"""A peer that does not read at all is cut sooner: its queue is memory."""

PING_FRAME: Final = websocket_frame(0x89, b"")

MAX_FRAGMENTS: Final = 1_024
"""Frames of one message. The bound of its bytes counts no empty ones, and each is kept until the last has come."""

CLOSE_REASON_BYTES: Final = 123
"""What fits into a close frame beside the code."""


def _fitting(reason: str) -> str:
    return reason.encode()[:CLOSE_REASON_BYTES].decode("utf-8", "ignore")


class _Nothing:
    """Stands in for the ASGI queue and flow-control event of adopted connections: 1.5 KB each, times every socket."""

    def put_nowait(self, event: object) -> None:
        """Nobody listens."""

    def set(self) -> None:
        """Nobody waits."""

    def clear(self) -> None:
        """Nobody waits."""


_NOTHING: Final[Any] = _Nothing()


class TransportProtocol(WebSocketsSansIOProtocol):
    """Offers itself to the application as an ASGI extension, and serves the hub once adopted. A `wire.Socket`."""

    hub: Hub | None = None
    peer: Peer | None = None
    wire: Wire
    write: Callable[[bytes], None]

    async def run_asgi(self) -> None:
        """Run the application, and leave the transport open when the hub has taken it."""
        extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
        extensions[EXTENSION] = self
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if self.peer is None and self.close_timer is None:
            self.transport.close()

    def adopt(self, hub: Hub, wire: Wire, arrival: Arrival, *, native_ping: bool = False) -> None:
        """Serve this hub from now on. The handshake must be complete."""
        if self.disconnected or self.transport.is_closing():
            return
        self.hub, self.wire, self.write = hub, wire, self.transport.write
        self.transport.set_write_buffer_limits(high=QUEUE_BYTES)
        queue = self.queue
        self.peer = hub.open(self, arrival, native_ping=native_ping)
        self.queue = self.writable = _NOTHING
        del self.scope, self.request, self.response
        while not queue.empty():
            event: Any = queue.get_nowait()
            if event["type"] == "websocket.receive":
                text = event.get("text")
                hub.receive(self.peer, text.encode() if text is not None else event["bytes"])
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def send_receive_event_to_app(self) -> None:
        """A complete message has arrived."""
        if self.peer is None or self.hub is None:
            super().send_receive_event_to_app()
            return
        data = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if not self.close_sent:
            self.hub.receive(self.peer, bytes(data))

    def handle_cont(self, event: Frame) -> None:
        """The message goes on."""
        if self.close_sent:
            # It is read for the answer to our close frame, and for nothing else.
            self.frames = []
        elif len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.frames = []
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()

    def handle_pong(self, event: Any) -> None:
        """The peer has answered a ping frame."""
        if self.peer is None or self.hub is None:
            super().handle_pong(event)
        else:
            self.hub.ponged(self.peer)

    def ping(self) -> None:
        """Send a ping frame."""
        if not self.close_sent:
            self.transport.write(PING_FRAME)

    @property
    def queued(self) -> int:
        """Bytes in the transport's write buffer."""
        return self.transport.get_write_buffer_size()

    def expect(self, size: int) -> None:
        """An answer of this size may wait beside the usual bound."""
        self.transport.set_write_buffer_limits(high=QUEUE_BYTES + size)

    def pause_writing(self) -> None:
        """The write buffer is over its bound."""
        if self.peer is None or self.hub is None:
            super().pause_writing()
        else:
            self.hub.too_slow(self.peer)

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and give the peer a moment to answer it."""
        if self.close_sent or self.transport.is_closing():
            return
        try:
            self.conn.send_close(code, _fitting(reason))
        except InvalidState:
            self.transport.close()
            return
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        patience = SLOW_CLOSE_S if code == DISCONNECT_SLOW.code else CLOSE_HANDSHAKE_S
        self.close_timer = self.loop.call_later(patience, self.transport.abort)

    def shutdown(self) -> None:
        """The server ends: say so with our own code, which tells clients to connect elsewhere."""
        if self.peer is None:
            super().shutdown()
            return
        self.close(DISCONNECT_SHUTDOWN.code, DISCONNECT_SHUTDOWN.reason)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        super().connection_lost(exc)
        if self.peer is not None and self.hub is not None:
            self.hub.lost(self.peer, exc)
            self.hub = None


class AsgiSocket:
    """A socket on plain ASGI messages: any ASGI server, and Serve's own path. One writing task for each."""

    def __init__(self, wire: Wire, send: Callable[[dict[str, Any]], Any], on_slow: Callable[[], None]) -> None:
        self.wire = wire
        self._send = send
        self._on_slow = on_slow
        self._queue: asyncio.Queue[tuple[dict[str, Any], int]] = asyncio.Queue()
        """Messages, and how many bytes of payload each counts as."""
        self._queued = 0
        self._bound = QUEUE_BYTES
        self._closing = False
        self._last: dict[str, Any] | None = None

    @property
    def write(self) -> Callable[[bytes], None]:
        """Queue one payload."""
        return self._write

    @property
    def queued(self) -> int:
        """Bytes of payloads that wait for the server."""
        return self._queued

    def expect(self, size: int) -> None:
        """An answer of this size may wait beside the usual bound."""
        self._bound = QUEUE_BYTES + size

    def _write(self, data: bytes) -> None:
        if self._closing:
            return
        self._queued += len(data)
        if self._queued > self._bound:
            self._on_slow()
            return
        self._queue.put_nowait((self._message(data), len(data)))

    def _message(self, data: bytes) -> dict[str, Any]:
        kind: dict[str, Any] = {"bytes": data} if self.wire.codec.is_binary else {"text": data.decode()}
        return {"type": "websocket.send", **kind}

    def _farewell(self, code: int, reason: str) -> dict[str, Any]:
        return {"type": "websocket.close", "code": code, "reason": _fitting(reason)}

    def ping(self) -> None:
        """ASGI has none; the hub does not ask for it."""
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        """Queue the end; for a slow client it overtakes what waits."""
        if self._closing:
            return
        self._closing = True
        if code == DISCONNECT_SLOW.code:
            self._queue = asyncio.Queue()
        self._last = self._farewell(code, reason)
        self._queue.put_nowait((self._last, 0))

    async def drain(self) -> None:
        """Send what is queued until the end has been sent. Cancelled when the client goes first."""
        while True:
            message, size = await self._queue.get()
            await self._send(message)
            if message is self._last:
                return
            self._queued -= size
