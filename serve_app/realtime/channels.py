"""The channels of one process: who listens, and what the stream of the brokers brings for them.

Fed by the stream in its order (`actors.brokers.contract.ChannelSink`). Positions are known here once per channel, so a
gap is found once, and what is written is encoded and framed once.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import structlog

from actors.brokers import contract
from actors.brokers.contract import BrokerClient, BrokerError
from actors.brokers.net_changes import NetChanges
from actors.metrics.registry import REALTIME_SUBSCRIBE_DURATION
from actors.protocol import codes
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespace import Namespace
from actors.protocol.namespaces import Namespaces, UnknownNamespace
from serve_app.realtime import actions as act
from serve_app.realtime.batching import Batch
from serve_app.realtime.channel import Channel
from serve_app.realtime.connection import ConnectionState
from serve_app.realtime.counts import COUNTS
from serve_app.realtime.deltas import DeltaState, Patches
from serve_app.realtime.encoding import fitting
from serve_app.realtime.flushing import QUEUE_BYTES, Flusher
from serve_app.realtime.peer import Peer
from serve_app.realtime.questions import TRACE_PREFIX
from serve_app.realtime.rendering import Variant
from serve_app.realtime.roster import Roster
from serve_app.realtime.taps import ChannelTap
from serve_app.realtime.turns import Turns

BURST_BYTES: Final = QUEUE_BYTES // 2
"""Publications of one channel that are written at once, whatever came."""

SPREAD_PER_S: Final = 500
SPREAD_LIMIT_S: Final = 10.0
"""A channel's subscribers are told to come back at this rate, within this time."""

BEHIND_EVERY_S: Final = 10.0
"""A process that is behind says so no more often."""

PEERS_PER_STEP: Final = 32
"""About 2 ms of ending subscriptions, each with its state machine and a message: between steps the hub looks at the
clock."""

logger = structlog.get_logger(__name__)


def newest(publications: Sequence[contract.Publication]) -> Sequence[contract.Publication]:
    """As many of the last publications as may be written at once, at least one."""
    if len(publications) == 1:
        return publications
    return fitting(publications[::-1], BURST_BYTES)[::-1]


class Channels:
    """The channels with subscribers in this process. Implements ChannelSink."""

    def __init__(
        self,
        flusher: Flusher,
        apply: Callable[[Peer, Sequence[act.Action]], None],
        too_slow: Callable[[Peer], None],
    ) -> None:
        self.roster: Roster | None = None
        """Told of subscriptions; None where nobody keeps one."""
        self._flusher = flusher
        self._apply = apply
        self._too_slow = too_slow
        self._channels: dict[str, Channel] = {}
        self.polled: Callable[[str, Sequence[contract.Publication]], None] = lambda channel, values: None
        """Told of values of shared polls."""
        self._numbers = itertools.count(1)
        self.taps: Mapping[str, ChannelTap] = {}
        """Channels that are traced."""
        self.patches = Patches()
        self._turns = Turns()
        self._broken: set[str] = set()
        """Channels of which publications were left out: the last of their work that waits tells their subscribers."""
        self._gathered: dict[str, NetChanges] = {}
        """Channel → joins and leaves that came after too much else, and wait as one piece of work."""
        self._said_at = float("-inf")
        self._brokers: BrokerClient
        self._loop: asyncio.AbstractEventLoop

    def start(self, loop: asyncio.AbstractEventLoop, brokers: BrokerClient) -> None:
        """Ask these brokers from now on."""
        self._loop, self._brokers = loop, brokers
        self._turns.start(loop)

    def __len__(self) -> int:
        """Channels with subscribers here."""
        return len(self._channels)

    # Subscriptions

    def number(self, channel: str) -> int:
        """What stands for the channel's name in compact pushes."""
        return self._channels[channel].number

    def subscribe(self, peer: Peer, request: contract.SubscribeRequest) -> None:
        """Ask the broker; the answer goes to the connection in the order of the stream."""
        sub = peer.connection.subscriptions.get(request.channel)
        if sub is None or sub.attempt != request.subscription:
            # A later command of the same frame has ended it, or the connection.
            return
        channel = self._channels.get(request.channel)
        if channel is None:
            channel = self._begin(request.channel, sub.namespace)
        channel.interest.add(request.subscription)
        asked_at = self._loop.time()

        def answered(reply: contract.SubscribeReply | BrokerError) -> None:
            # What is left out from here on is a gap for this one too.
            self._broken.discard(request.channel)
            self._turns.run(self._subscribed(peer, request, reply, asked_at))

        self._brokers.subscribe(request, answered)

    def _begin(self, name: str, rules: Namespace) -> Channel:
        channel = self._channels[name] = Channel(name, next(self._numbers))
        channel.tap = self.taps.get(name)
        channel.batch = self._batch(channel, rules)
        return channel

    def _batch(self, channel: Channel, rules: Namespace) -> Batch | None:
        return Batch(rules, lambda: self._turns.run(self._write_batch(channel))) if rules.batch_max_delay_ms else None

    def replace_namespaces(self, namespaces: Namespaces) -> None:
        """Gather publications by other rules from now on."""
        self._turns.run(self._gather_by(namespaces))

    def _gather_by(self, namespaces: Namespaces) -> Iterator[None]:
        for channel in list(self._channels.values()):
            yield
            try:
                rules = namespaces.for_channel(channel.name)
            except (UnknownNamespace, InvalidChannel):
                continue
            batch = channel.batch
            if batch.keeps_to(rules) if batch is not None else not rules.batch_max_delay_ms:
                continue
            if rules.batch_flush_latest and (batch is None or not batch.latest_only):
                # Who is subscribed keeps a position, and gets every publication, until nobody is.
                continue
            yield from self._write_batch(channel)
            channel.batch = self._batch(channel, rules)

    def _subscribed(
        self,
        peer: Peer,
        request: contract.SubscribeRequest,
        reply: contract.SubscribeReply | BrokerError,
        asked_at: float,
    ) -> Iterator[None]:
        REALTIME_SUBSCRIBE_DURATION.observe(self._loop.time() - asked_at)
        if request.since is not None:
            COUNTS.recovered(isinstance(reply, contract.SubscribeReply) and reply.recovered)
        channel = self._channels.get(request.channel)
        if channel is not None and channel.batch is not None and not channel.batch.latest_only:
            # The answer's position includes them: the others must have them before, the newcomer never.
            yield from self._write_batch(channel)
        if isinstance(reply, BrokerError):
            self._give_up(request.channel, request.subscription)
        elif reply.page is not None and reply.page.phase != 0:
            # Only read, not subscribed yet.
            self._give_up(request.channel, request.subscription)
        elif channel is not None:
            yield from self._adopt_position(channel, reply.position)
        answered = peer.connection.subscribe_answered(request.channel, request.subscription, reply, self._loop.time())
        self._apply(peer, answered)

    def _adopt_position(self, channel: Channel, position: contract.StreamPosition) -> Iterator[None]:
        moved = (channel.epoch, channel.offset) != (position.epoch, position.offset)
        if moved and channel.epoch and (channel.variants or channel.waiting):
            # The stream went on without a publication for us: those who listen already have a gap.
            yield from self._insufficient(channel)
        channel.epoch, channel.offset = position.epoch, position.offset

    def _give_up(self, name: str, attempt: int) -> bool:
        """One subscription less. Returns whether it was the last."""
        channel = self._channels.get(name)
        if channel is None:
            return True
        channel.interest.discard(attempt)
        if not channel.interest:
            del self._channels[name]
            if channel.batch is not None:
                channel.batch.cancel()
            return True
        return False

    def attach(self, peer: Peer, action: act.Attach) -> None:
        """Deliver to this connection from now on."""
        channel = self._channels[action.channel]
        sub = peer.connection.subscriptions.get(action.channel)
        if sub is None or sub.attempt != action.attempt:
            return
        delta = DeltaState.NONE
        if sub.features.delta:
            # Whoever subscribed to a map holds the newest value of every key.
            delta = DeltaState.BASED if sub.namespace.is_map else channel.delta_state(action.recovered)
        variant = Variant(peer.socket.wire, sub.compact, sub.features.pushes_join_leave, delta, sub.tags)
        # Before anything else is written to the channel, the subscribe reply must be on its way.
        channel.add(peer, variant, waiting=peer.connection.state is not ConnectionState.CONNECTED)
        if channel.tap is not None:
            channel.tap.attached(peer.connection.client, peer.connection.user)
        if peer.tap is not None:
            self._read_along(channel, peer)
        if self.roster is not None:
            self.roster.attached(peer, sub)

    def release(self, peer: Peer) -> None:
        """The connect reply is queued: what comes for server-side subscriptions need not be held any more."""
        for name in peer.connection.subscriptions:
            if name in self._channels:
                self._channels[name].release(peer)
        held, peer.held, peer.held_bytes = peer.held, None, 0
        for message in held or ():
            self._flusher.queue(peer, message)

    def detach(self, peer: Peer, action: act.Detach) -> None:
        """Deliver nothing more to it."""
        channel = self._channels.get(action.channel)
        if channel is not None:
            channel.remove(peer)
            if channel.tap is not None:
                channel.tap.detached(peer.connection.client, peer.connection.user)
        if self.roster is not None:
            self.roster.detached(peer, action.channel)
        last = self._give_up(action.channel, action.attempt)
        if action.tell_broker:
            self._brokers.unsubscribe(action.channel, action.attempt, action.info, last=last)

    # Traces

    def find(self, name: str) -> Channel | None:
        """A channel that has subscribers here."""
        return self._channels.get(name)

    def tap(self, peer: Peer) -> None:
        """The connection's tap reads along from now on."""
        for name in peer.connection.subscriptions:
            if name in self._channels:
                self._read_along(self._channels[name], peer)

    def untap(self, peer: Peer) -> None:
        """The connection is traced no more."""
        for name in peer.connection.subscriptions:
            if name in self._channels:
                self._channels[name].read_no_more(peer)

    def _read_along(self, channel: Channel, peer: Peer) -> None:
        # What a trace brings its reader is not traced again, and so on for ever.
        if not channel.name.startswith(TRACE_PREFIX):
            channel.read_along(peer)

    # The stream

    def on_publications(self, channel: str, publications: Sequence[contract.Publication]) -> None:
        """New publications of a channel."""
        if self._turns.waiting:
            self._queue(channel, publications)
        else:
            self._turns.run(self._publications(channel, publications))

    def _queue(self, channel: str, publications: Sequence[contract.Publication]) -> None:
        """More came than could be done at once. What comes after too much is a gap: its subscribers come back later."""
        if not self._turns.is_full:
            self._broken.discard(channel)
            size = sum(len(publication.data) for publication in publications)
            self._turns.run(self._publications(channel, publications), size)
        elif channel not in self._broken:
            self._say_behind(channel)
            self._broken.add(channel)
            self._turns.run(self._break(channel))

    def _say_behind(self, channel: str) -> None:
        now = self._loop.time()
        if now >= self._said_at + BEHIND_EVERY_S:
            self._said_at = now
            logger.warning("publications_left_out", waiting=self._turns.waiting, channel=channel)

    def _break(self, channel: str) -> Iterator[None]:
        self._broken.discard(channel)
        yield from self._on_insufficient(channel)

    def _publications(self, name: str, publications: Sequence[contract.Publication]) -> Iterator[None]:
        channel = self._channels.get(name)
        if channel is None or not publications:
            return
        fresh = channel.advance(publications)
        if fresh is None:
            yield from self._write_batch(channel)
            yield from self._insufficient(channel)
        elif fresh and channel.batch is None:
            yield from self._write(channel, fresh)
        elif fresh and channel.batch is not None and channel.batch.add(fresh, self._loop):
            yield from self._write_batch(channel)

    def _write(self, channel: Channel, publications: Sequence[contract.Publication]) -> Iterator[None]:
        fits = newest(publications)
        if len(fits) < len(publications):
            # After a long gap: all at once would make everyone a slow client. Those with a position ask one by one.
            yield from self._insufficient(channel)
            publications = fits
        self._flusher.flush()
        COUNTS.publications += len(publications)
        yield from channel.publish(publications)
        self._bound_held(channel)

    def _write_batch(self, channel: Channel) -> Iterator[None]:
        gathered = channel.batch.take() if channel.batch is not None else []
        if gathered:
            yield from self._write(channel, gathered)

    def on_join(self, channel: str, info: contract.ClientInfo) -> None:
        """A connection joined a channel."""
        self._tell(channel, [info], [])

    def on_leave(self, channel: str, info: contract.ClientInfo) -> None:
        """A connection left a channel."""
        self._tell(channel, [], [info])

    def on_difference(
        self, channel: str, joined: Sequence[contract.ClientInfo], left: Sequence[contract.ClientInfo]
    ) -> None:
        """Who joined and who left over some time."""
        self._tell(channel, joined, left)

    def _tell(self, channel: str, joined: Sequence[contract.ClientInfo], left: Sequence[contract.ClientInfo]) -> None:
        gathered = self._gathered.get(channel)
        if gathered is None:
            if not self._turns.is_full:
                self._turns.run(self._announce(channel, joined, left))
                return
            gathered = self._gathered[channel] = NetChanges()
            self._turns.run(self._announce_gathered(channel))
        # A join and its leave are one connection, whatever waits: who comes and goes for ever is not kept for ever.
        for info in joined:
            gathered.note(info, joined=True)
        for info in left:
            gathered.note(info, joined=False)

    def _announce_gathered(self, channel: str) -> Iterator[None]:
        yield from self._announce(channel, *self._gathered.pop(channel).settled())

    def _announce(
        self, name: str, joined: Sequence[contract.ClientInfo], left: Sequence[contract.ClientInfo]
    ) -> Iterator[None]:
        channel = self._channels.get(name)
        if channel is not None:
            self._flusher.flush()
            yield from channel.announce(joined, left)

    def _bound_held(self, channel: Channel) -> None:
        for peer in channel.waiting:
            if peer.held_bytes > QUEUE_BYTES:
                self._too_slow(peer)

    def on_polled(self, channel: str, values: Sequence[contract.Publication]) -> None:
        """Another process asked for keys of a shared poll, and found these."""
        self.polled(channel, values)

    def on_insufficient(self, channel: str) -> None:
        """The stream of a channel broke."""
        self._turns.run(self._on_insufficient(channel))

    def _on_insufficient(self, name: str) -> Iterator[None]:
        channel = self._channels.get(name)
        if channel is not None:
            yield from self._write_batch(channel)
            yield from self._insufficient(channel)
            channel.epoch, channel.offset = "", 0

    def _insufficient(self, channel: Channel) -> Iterator[None]:
        """Deliver nothing more, and tell the subscribers to come back, spread over time."""
        affected: list[tuple[Peer, int]] = []
        for number, peer in enumerate(channel.peers()):
            if number % PEERS_PER_STEP == PEERS_PER_STEP - 1:
                yield
            sub = peer.connection.subscriptions.get(channel.name)
            if sub is not None and sub.features.positioned:
                channel.remove(peer)
                affected.append((peer, sub.attempt))
        rate = max(SPREAD_PER_S, len(affected) / SPREAD_LIMIT_S)
        step = max(int(rate / 10), 1)
        for number, start in enumerate(range(0, len(affected), step)):
            part = affected[start : start + step]
            delay = number * 0.1 + random.random() * 0.1  # noqa: S311 - spreads load, guards nothing
            self._loop.call_later(delay, self._tell_insufficient, channel.name, part)

    def _tell_insufficient(self, name: str, affected: list[tuple[Peer, int]]) -> None:
        for peer, attempt in affected:
            sub = peer.connection.subscriptions.get(name)
            if sub is not None and sub.attempt == attempt:
                code = codes.UNSUBSCRIBE_INSUFFICIENT
                self._apply(peer, peer.connection.unsubscribed(name, code, tell_broker=True))

    def on_unsubscribed(self, channel: str, client: str, code: int, reason: str) -> None:
        """The server took subscriptions away."""
        self._turns.run(self._unsubscribed(channel, client, codes.unsubscribe(code, reason)))

    def _unsubscribed(self, name: str, client: str, code: codes.UnsubscribeCode) -> Iterator[None]:
        channel = self._channels.get(name)
        if channel is None:
            return
        for number, peer in enumerate(channel.peers()):
            if number % PEERS_PER_STEP == PEERS_PER_STEP - 1:
                yield
            if client in ("", peer.connection.client):
                # The broker is told all the same: so everything that follows the channel forgets it.
                self._apply(peer, peer.connection.unsubscribed(name, code, tell_broker=True))
