"""Asks the application for the values of tracked keys: per channel and interval once in the cluster, whoever listens.

The channel's shard says which keys it is this process's turn to ask for (`actors.brokers.polled`), and passes on what
others found; `serve_app.realtime.poller` asks.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from actors.brokers.contract import BrokerClient, Publication
from actors.protocol import codes, frames
from actors.protocol.codec import Codec
from actors.protocol.fossil import create_delta
from serve_app.realtime.actions import Track
from serve_app.realtime.deltas import delta_message
from serve_app.realtime.encoding import publication_message
from serve_app.realtime.flushing import Flusher
from serve_app.realtime.handlers import PollCallback
from serve_app.realtime.peer import Peer
from serve_app.realtime.poller import Poller
from serve_app.realtime.shared_poll import Change, SharedPoll, Tracker, newest
from serve_app.realtime.timers import TimerWheel
from serve_app.realtime.turns import Turns

ENDS_MAX_S: Final = 60.0
"""Ends of signatures are looked at this often at least, so that nothing is kept for those who have gone."""

logger = structlog.get_logger(__name__)


class SharedPolls:
    """All shared polls of one hub. Bounded by what namespaces allow per channel and connection."""

    def __init__(
        self,
        callbacks: Mapping[str, PollCallback],
        flusher: Flusher,
        wall: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._callbacks = callbacks
        self._flusher = flusher
        self._wall = wall
        self._jitter = jitter
        self._pollers: dict[str, Poller] = {}
        self._ends: TimerWheel[Tracker] | None = None
        self._turns = Turns()
        self._unsent: dict[tuple[SharedPoll, str], _Unsent] = {}
        """In a process that is behind: one change per key, however long it stays so."""
        self._loop: asyncio.AbstractEventLoop
        self._brokers: BrokerClient

    def start(self, loop: asyncio.AbstractEventLoop, brokers: BrokerClient) -> None:
        """Use this loop. Nothing runs until somebody tracks a key."""
        self._loop = loop
        self._brokers = brokers
        self._turns.start(loop)

    async def stop(self) -> None:
        """End every call that is under way."""
        if self._ends is not None:
            self._ends.stop()
        pollers, self._pollers = list(self._pollers.values()), {}
        await asyncio.gather(*(poller.stop() for poller in pollers))

    def __len__(self) -> int:
        """Channels in which keys are tracked here."""
        return len(self._pollers)

    @property
    def pollers(self) -> Collection[Poller]:
        """Who asks, per channel."""
        return self._pollers.values()

    # Connections

    def track(self, peer: Peer, asked: Track) -> Sequence[Publication] | codes.ErrorCode:
        """Follow keys. Returns values that the client does not have, or why it may not."""
        poller = self._pollers.get(asked.channel)
        if poller is None:
            callback = self._callbacks.get(asked.options.callback)
            if callback is None:
                return codes.ERROR_NOT_AVAILABLE
            poll = SharedPoll(asked.channel, asked.options)
            poller = Poller(poll, callback, self._brokers, self._write, self._idle, self._jitter, self._loop)
        sub = peer.connection.subscriptions.get(asked.channel)
        delta = sub is not None and sub.features.delta
        answer = poller.poll.track(peer, asked.items, asked.ends, asked.untrack, delta=delta)
        if poller.poll.keys:
            self._pollers[asked.channel] = poller
            self._schedule(poller.poll.trackers.get(peer))
        if self._pollers.get(asked.channel) is poller:
            poller.wake()
        return answer

    def untrack(self, peer: Peer, channel: str, keys: Sequence[str]) -> None:
        """Follow these keys no more."""
        poller = self._pollers.get(channel)
        if poller is not None:
            poller.poll.untrack(peer, keys)
            poller.wake()

    def forget(self, peer: Peer, channel: str) -> None:
        """A connection's subscription has ended."""
        poller = self._pollers.get(channel)
        if poller is not None:
            poller.poll.forget(peer)
            poller.wake()

    def _idle(self, poll: SharedPoll) -> None:
        self._pollers.pop(poll.channel, None)

    # Ends of signatures

    def _schedule(self, tracker: Tracker | None) -> None:
        end = tracker.end if tracker is not None else None
        if tracker is None or end is None:
            return
        if self._ends is None:
            self._ends = TimerWheel(self._on_end)
            self._ends.start(self._loop)
        self._ends.schedule(tracker, self._loop.time() + min(max(end - self._wall(), 0.0), ENDS_MAX_S))

    def _on_end(self, tracker: Tracker) -> None:
        poll = tracker.poll
        if poll.trackers.get(tracker.peer) is not tracker:
            return
        poll.expire(tracker, self._wall())
        self._schedule(poll.trackers.get(tracker.peer))
        self._pollers[poll.channel].wake()

    # Values

    def heard(self, channel: str, values: Sequence[Publication]) -> None:
        """Another process has found these."""
        poller = self._pollers.get(channel)
        if poller is not None:
            self._write(poller.poll, poller.poll.learned(values))
            poller.relieve()
            poller.wake()

    @property
    def keys(self) -> int:
        """Keys that are tracked here."""
        return sum(len(poller.poll.keys) for poller in self._pollers.values())

    def _write(self, poll: SharedPoll, changes: Sequence[Change]) -> None:
        for change in changes:
            named = (poll, change.publication.key)
            unsent = self._unsent.get(named)
            both = newest(unsent.change, change) if unsent is not None else None
            if unsent is not None and both is not None:
                unsent.change = both
            else:
                unsent = self._unsent[named] = _Unsent(change)
                self._turns.run(self._push(poll, unsent))

    def _push(self, poll: SharedPoll, unsent: "_Unsent") -> Iterator[None]:
        change = unsent.change
        named = (poll, change.publication.key)
        if self._unsent.get(named) is unsent:
            del self._unsent[named]
        messages = _Messages(poll.channel, change)
        publication = change.publication
        for peer in change.peers:
            tracker = poll.trackers.get(peer)
            codec = peer.socket.wire.codec
            if publication.removed:
                if poll.channel in peer.connection.subscriptions:
                    self._flusher.queue(peer, messages.plain(codec))
            elif tracker is not None and publication.key in tracker.keys:
                if tracker.bases is None:
                    self._flusher.queue(peer, messages.plain(codec))
                else:
                    patched = tracker.rebase(change)
                    if patched is not None:
                        self._flusher.queue(peer, messages.delta(codec, patched=patched))
            yield


@dataclass(slots=True)
class _Unsent:
    """What is to be told of a key. Until its turn comes, what comes later takes its place."""

    change: Change


class _Messages:
    """A change as its subscribers read it: each form is made once, when somebody needs it."""

    def __init__(self, channel: str, change: Change) -> None:
        self._channel = channel
        self._change = change
        self._made: dict[tuple[str, int], bytes] = {}
        self._patch: bytes | None = None
        self._has_patch = False

    def plain(self, codec: Codec) -> bytes:
        """For those who did not ask for deltas."""
        return self._message(codec, 0, lambda: publication_message(self._change.publication))

    def delta(self, codec: Codec, *, patched: bool) -> bytes:
        """For those who did; `patched`: they have the value before."""
        patch = self._patched() if patched else None
        publication, binary = self._change.publication, codec.is_binary
        return self._message(codec, 1 + patched, lambda: delta_message(publication, patch, binary=binary))

    def _patched(self) -> bytes | None:
        if not self._has_patch and self._change.before is not None:
            self._patch = create_delta(self._change.before.data, self._change.publication.data)
            self._has_patch = True
        return self._patch

    def _message(self, codec: Codec, form: int, make: Callable[[], frames.Publication]) -> bytes:
        message = self._made.get((codec.name, form))
        if message is None:
            push = frames.Push(channel=self._channel, pub=make())
            message = self._made[codec.name, form] = codec.encode(frames.Reply(push=push))
        return message
