"""uvicorn's HTTP protocol, handing its transport to the hub for a response that has no end.

As with WebSockets nothing of ASGI is left once a response is adopted: prepared chunks go to the transport, no task or
coroutine exists for the connection, and its end is noticed by the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from starlette.types import Receive
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from actors.protocol import frames
from actors.protocol.codes import DISCONNECT_SHUTDOWN, DISCONNECT_SLOW
from cluster import names
from serve_app.edge.answering import ReadyCycle
from serve_app.edge.arrival import EXTENSION, LINES, Arrival
from serve_app.edge.body import READ_S
from serve_app.edge.websocket import CLOSE_HANDSHAKE_S, SLOW_CLOSE_S, AsgiSocket
from serve_app.realtime.flushing import QUEUE_BYTES
from serve_app.realtime.hub import Hub
from serve_app.realtime.peer import Peer
from serve_app.realtime.wire import Wire

LAST_CHUNK: Final = b"0\r\n\r\n"


def farewell(wire: Wire, code: int, reason: str) -> bytes:
    """The push that says on a stream what a WebSocket says in its close frame."""
    push = frames.Reply(push=frames.Push(disconnect=frames.Disconnect(code, reason)))
    return wire.pack([wire.codec.encode(push)])


class StreamProtocol(HttpToolsProtocol):
    """Offers itself to the application as an ASGI extension, and serves the hub once adopted. A `wire.Socket`."""

    hub: Hub | None = None
    peer: Peer | None = None
    wire: Wire
    write: Callable[[bytes], None]
    ending: asyncio.TimerHandle | None = None

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """A request is complete as far as its headers go."""
        cycle.__class__ = ReadyCycle  # uvicorn names its class in the middle of a long method
        offered: dict[str, Any] = {LINES: {}}
        if cycle.scope["path"].startswith(names.REALTIME_ROUTE_PREFIX):
            offered[EXTENSION] = self
        cycle.scope["extensions"] = offered
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Answered. The rest of the request is read, or HAProxy might lose the answer, but not for ever."""
        cycle = self.cycle
        super().on_response_complete()
        if cycle is not None and cycle.response_complete and cycle.more_body and not self.transport.is_closing():
            self.loop.call_later(READ_S, self._give_up, cycle)

    def handle_websocket_upgrade(self) -> None:
        """A later request on this connection makes it a WebSocket: nothing that an earlier one left may close it."""
        self.cycle = None
        super().handle_websocket_upgrade()

    def _give_up(self, answered: Any) -> None:
        if self.cycle is answered:
            self.transport.close()

    def adopt(self, hub: Hub, wire: Wire, arrival: Arrival) -> Peer | None:
        """Serve this hub from now on; None when the client has gone.

        The request must be read, and the response begun, in chunks.
        """
        cycle = self.cycle
        if cycle.disconnected or self.transport.is_closing():
            return None
        self.hub, self.wire, self.write = hub, wire, self.transport.write
        # To uvicorn the request is over, with nobody there to complete the response for.
        cycle.disconnected = True
        del self.cycle, self.scope, self.headers
        self.flow.resume_reading()
        self.transport.set_write_buffer_limits(high=QUEUE_BYTES)
        self.peer = hub.open(self, arrival)
        return self.peer

    cycle: Any = None

    def data_received(self, data: bytes) -> None:
        """Nothing that follows the request means anything, once it is answered by a stream."""
        if self.peer is None:
            super().data_received(data)

    def pause_writing(self) -> None:
        """The write buffer is over its bound."""
        if self.peer is None or self.hub is None:
            super().pause_writing()
        else:
            self.hub.too_slow(self.peer)

    @property
    def queued(self) -> int:
        """Bytes in the transport's write buffer."""
        return self.transport.get_write_buffer_size()

    def expect(self, size: int) -> None:
        """An answer of this size may wait beside the usual bound."""
        self.transport.set_write_buffer_limits(high=QUEUE_BYTES + size)

    def ping(self) -> None:
        """HTTP has none; the hub does not ask for it."""
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        """Say why, end the response, and give what is written a moment to leave."""
        if self.ending is not None or self.transport.is_closing():
            return
        self.transport.write(farewell(self.wire, code, reason) + LAST_CHUNK)
        self.transport.close()
        patience = SLOW_CLOSE_S if code == DISCONNECT_SLOW.code else CLOSE_HANDSHAKE_S
        self.ending = self.loop.call_later(patience, self.transport.abort)

    def shutdown(self) -> None:
        """The server ends: say so with our own code, which tells clients to connect elsewhere."""
        if self.peer is None:
            super().shutdown()
        else:
            self.close(DISCONNECT_SHUTDOWN.code, DISCONNECT_SHUTDOWN.reason)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        super().connection_lost(exc)
        if self.ending is not None:
            self.ending.cancel()
        if self.peer is not None and self.hub is not None:
            self.hub.lost(self.peer, exc)
            self.hub = None


class AsgiStream(AsgiSocket):
    """A response without end on plain ASGI messages: any ASGI server, and Serve's own path."""

    def _message(self, data: bytes) -> dict[str, Any]:
        return {"type": "http.response.body", "body": data, "more_body": True}

    def _farewell(self, code: int, reason: str) -> dict[str, Any]:
        return {"type": "http.response.body", "body": farewell(self.wire, code, reason), "more_body": False}


async def gone(receive: Receive) -> None:
    """Return when the client of a response has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
