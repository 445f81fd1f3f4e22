"""The last frames of every connection, for who looks at one that behaves oddly or has ended unexpectedly.

Kept are references to bytes that were there anyway; nothing is decoded before somebody asks, and then without secrets.
What is written to all subscribers of a channel is not among them: how far it was written is known for each channel.
Pings, pongs, `connect` and its reply are left out as well, and who says nothing for a while keeps nothing, so a
connection that is idle costs no more than before.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from actors.protocol.codec import Codec
from serve_app.realtime import frame_reading
from serve_app.realtime.core import ConnectionState
from serve_app.realtime.peer import Frame, Peer

FRAME_BYTES: Final = 1_024
"""A longer frame is remembered by its length."""

FIRST_BYTES: Final = 4_096
"""The same of the frame with which a connection was refused: it has a token in it."""

PONG_BYTES: Final = 2
"""An empty command, in either encoding."""

QUIET_S: Final = 60.0
"""Frames of a connection that says and hears nothing of its own for so long are let go."""


class Recent:
    """Remembers for one hub. `kept`: frames per connection; 0: none. `clock` is monotonic, `wall` Unix time."""

    def __init__(self, kept: int, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self._kept = kept
        self._first: tuple[Peer, Frame] | None = None
        self._clock = clock
        self._wall = wall

    def received(self, peer: Peer, frame: bytes, now: float) -> None:
        """The client sent a frame. One that comes before it has authenticated is kept while it is handled."""
        if not self._kept:
            return
        if peer.newcomer is not None:
            self._first = (peer, (now, False, frame if len(frame) <= FIRST_BYTES else len(frame)))
        elif len(frame) > PONG_BYTES:
            self._keep(peer, (now, False, frame if len(frame) <= FRAME_BYTES else len(frame)))

    def handled(self) -> None:
        """What came of the frame is done."""
        self._first = None

    def failed(self) -> None:
        """The frame led to an error that nobody foresaw: kept, so that it is seen what the connection ended with."""
        if self._first is not None:
            self._keep(*self._first)
            self._first = None

    def last(self, peer: Peer) -> Sequence[Frame]:
        """The frames of a connection that ends now."""
        if self._first is not None and self._first[0] is peer:
            return [*(peer.recent or ()), self._first[1]]
        return peer.recent or ()

    def sent(self, peer: Peer, messages: list[bytes]) -> None:
        """Messages were written to this client alone."""
        if not self._kept or len(messages[0]) <= PONG_BYTES:
            return
        if peer.recent is None and peer.connection.state is ConnectionState.CONNECTED:
            peer.recent = ()  # the reply to `connect`: what it says is known of the connection
            return
        size = sum(map(len, messages))
        self._keep(peer, (self._clock(), True, messages if size <= FRAME_BYTES else size))

    def _keep(self, peer: Peer, frame: Frame) -> None:
        recent = peer.recent
        if not recent:
            peer.recent = [frame]
            return
        if len(recent) >= self._kept:
            del recent[0]
        recent.append(frame)

    def settle(self, peer: Peer, now: float) -> None:
        """Let go of what was said too long ago."""
        if peer.recent and peer.recent[-1][0] < now - QUIET_S:
            peer.recent = ()

    def shown(self, frames: Sequence[Frame], codec: Codec, *, client: str, user: str) -> list[dict[str, Any]]:
        """The frames as an operator reads them, in the form of the events of a trace."""
        offset = self._wall() - self._clock()
        return [
            {"at": int((at + offset) * 1000), "kind": "out" if sent else "in", "client": client, "user": user, **said}
            for at, sent, content in frames
            for said in _read(codec, content)
        ]


def _read(codec: Codec, content: bytes | list[bytes] | int) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, int):
        yield {"frame": {"bytes": content}}
    elif isinstance(content, bytes):
        yield from ({"frame": command} for command in frame_reading.commands(codec, content))
    else:
        yield from ({"frame": reply} for reply in frame_reading.replies(codec, content))
