"""Messages to single connections: those of one turn of the event loop leave in one write."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from serve_app.realtime.counts import COUNTS
from serve_app.realtime.peer import Peer

logger = structlog.get_logger(__name__)

QUEUE_BYTES: Final = 1024 * 1024
"""Bytes a client may leave unread before it is closed with 3008."""

LARGE_BYTES: Final = QUEUE_BYTES // 4
"""What a client asked for may be as large as its queue, as when it recovers after having been slow. One such answer
does not count; a second one does while the first is unread."""


class Flusher:
    """Queues messages per connection and writes them at the end of the turn."""

    def __init__(self, sent: Callable[[Peer, list[bytes]], None]) -> None:
        self._sent = sent
        """Told of messages before they are written."""
        self._dirty: list[Peer] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop."""
        self._loop = loop

    def queue(self, peer: Peer, message: bytes) -> None:
        """Write the message at the end of this turn, after those queued before it."""
        if peer.pending is not None:
            peer.pending.append(message)
            return
        peer.pending = [message]
        if not self._dirty and self._loop is not None:
            self._loop.call_soon(self.flush)
        self._dirty.append(peer)

    def flush(self) -> None:
        """Write now whatever is queued: before a channel's publications, so that no subscribe reply is overtaken."""
        if self._dirty:
            dirty, self._dirty = self._dirty, []
            for peer in dirty:
                try:
                    self.flush_one(peer)
                except Exception:
                    # The others behind it would never be written to again, and a publication that waits for this
                    # would be lost to all.
                    logger.exception("connection cannot be written to")

    def flush_one(self, peer: Peer) -> None:
        """Write now what is queued for one connection."""
        pending, peer.pending = peer.pending, None
        if pending:
            COUNTS.messages += len(pending)
            self._sent(peer, pending)
            if peer.tap is not None:
                peer.tap.sent(pending)
            socket = peer.socket
            data = socket.wire.pack(pending)
            if len(data) > LARGE_BYTES:
                socket.expect(len(data))
                peer.expecting = True
            elif peer.expecting and socket.queued <= QUEUE_BYTES:
                socket.expect(0)
                peer.expecting = False
            socket.write(data)
