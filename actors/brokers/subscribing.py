"""Subscriptions: registered in the turn that decides recovery, resumed after resets, repaired after gaps."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from actors.brokers import answers, recovery
from actors.brokers.attempts import Attempt, Attempts
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.items import Behind, Noted, Resumed, Subscribed
from actors.brokers.operations import Compare, Departed, Repair, Resume, Subscribe, Synced, Unsubscribe
from actors.brokers.pacing import Pacing
from actors.brokers.presence import Registry
from actors.brokers.rebuilding import Rebuilding
from actors.brokers.table import ChannelTable, Handler
from actors.brokers.wire import encode, raw
from actors.links.stream import ClientStream
from cluster.background import Background
from db.session_events.boots import process_of
from db.streams.errors import StreamError
from db.streams.reader import StreamReader

NOTICES_REMEMBERED: Final = 10_000
"""Notices that this incarnation has taken: each counts once, however often it comes."""

logger = structlog.get_logger(__name__)


class Subscribing:
    """Takes what changes who listens. `alive(stream)`: the stream is its process's current one.

    `attached(boot)`: the process has a stream. `resuming(stream)`: some of what its process holds waits to be resumed.
    """

    def __init__(
        self,
        table: ChannelTable,
        registry: Registry,
        reader: StreamReader,
        background: Background,
        attempts: Attempts,
        pacing: Pacing,
        *,
        alive: Callable[[ClientStream], bool],
        attached: Callable[[str], bool],
        resuming: Callable[[ClientStream], bool],
    ) -> None:
        self._table = table
        self._registry = registry
        self._reader = reader
        self._background = background
        self._attempts = attempts
        self._pacing = pacing
        self._alive = alive
        self._attached = attached
        self._resuming = resuming
        self._syncing: dict[str, ClientStream] = {}
        """Processes that have said everything that they hold, some of which is not taken yet."""
        self.repair: Handler = self._repair
        """Bring what was missed, in its turn."""
        self._settling: asyncio.Handle | None = None
        self.handlers: Mapping[type, Handler] = {
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            Resume: self._resume,
            Synced: self._synced,
            Repair: self._repair,
            Compare: self._compare,
            Departed: self._departed,
        }
        registry.announcer.rebuilding = True
        self.rebuilding = Rebuilding(reader.living_hubs, self._rebuilt)
        self._noted: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._early: dict[tuple[str, int], tuple[ClientStream, Departed]] = {}
        """Notices that came while nobody knows who is there."""

    def _subscribe(self, stream: ClientStream, op: Subscribe) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        channel.check_room()
        channel.ring.expire(asyncio.get_running_loop().time())
        outcome = recovery.Outcome(recovered=False)
        if op.recover and channel.rules.has_history:
            if op.cache_mode:
                outcome = recovery.recover_latest(channel, op.epoch, op.offset)
            else:
                outcome = recovery.recover(channel, op.epoch, op.offset, self._recovery_limit(channel, op))
        if outcome.needs_database:
            # From this turn on it can be given up: what gives it up may be the next operation.
            reading = self._subscribe_later(stream, channel, op, self._attempts.begin(stream, op))
            self._background.spawn(self._pacing.reading(stream, reading))
        else:
            self._register(stream, channel, op, outcome)

    def _register(self, stream: ClientStream, channel: Channel, op: Subscribe, outcome: recovery.Outcome) -> None:
        """Recovery is decided: register and answer in the same turn, so that nothing falls in between."""
        is_new = self._registry.add(channel, stream, op.subscriber)
        has_history = channel.rules.has_history
        answer = Subscribed(
            channel.name,
            op.subscriber.subscription,
            channel.epoch if has_history else "",
            channel.top,
            outcome.recovered,
            raw(outcome.pubs),
        )
        stream.push(encode(answer))
        if is_new:
            self._registry.join(channel, op.subscriber)

    async def _subscribe_later(self, stream: ClientStream, channel: Channel, op: Subscribe, attempt: Attempt) -> None:
        try:
            if op.cache_mode:
                outcome = await recovery.recover_latest_from_database(self._reader, channel, op.epoch, op.offset)
            else:
                limit = self._recovery_limit(channel, op)
                outcome = await recovery.recover_from_database(self._reader, channel, op.epoch, op.offset, limit)
        except StreamError as reason:
            logger.warning("recovery cannot read the database", channel=channel.name, reason=str(reason))
            if self._attempts.stands(attempt):
                answers.refuse(stream, op, BrokerError(100, "the stream cannot be read now"))
        else:
            still_there = self._alive(stream)
            if self._attempts.stands(attempt) and still_there and self._table.find(channel.name) is channel:
                self._register(stream, channel, op, outcome)
        finally:
            self._attempts.end(attempt)

    def _recovery_limit(self, channel: Channel, op: Subscribe) -> int:
        return min(op.limit or channel.rules.recovery_max_publications, channel.rules.recovery_max_publications)

    def _unsubscribe(self, stream: ClientStream, op: Unsubscribe) -> None:
        self._attempts.give_up(stream, op.channel, op.subscription)
        channel = self._table.find(op.channel)
        if channel is None:
            return
        channel.touched = asyncio.get_running_loop().time()
        self._registry.remove(channel, stream.boot, op.subscription)
        if channel.waiting:
            # What it gives up may be among what waits for the channel's head, alone or with others.
            self._table.wait(channel, stream, op)
        else:
            self._table.rest(channel)

    def _resume(self, stream: ClientStream, op: Resume) -> None:
        channel = self._table.ready(stream, op)
        if channel is not None:
            self._registry.resume(channel, stream, op.subscribers)
            # Registered at once; what was missed may have to wait for its turn, and is all that there is by then.
            self.repair(stream, Repair(op.channel, op.epoch, op.offset))
            if self._syncing and self._settling is None:
                # Once for all that are resumed in this turn.
                self._settling = asyncio.get_running_loop().call_soon(self.settle)

    def _repair(self, stream: ClientStream, op: Repair) -> None:
        channel = self._table.ready(stream, op)
        if channel is None:
            return
        if not channel.rules.has_history:
            stream.push(encode(Resumed(channel.name, "", 0, ok=True, pubs=[])))
            return
        if not op.epoch:
            # Who had no position yet has missed nothing.
            stream.push(encode(Resumed(channel.name, channel.epoch, channel.top, ok=True, pubs=[])))
            return
        channel.ring.expire(asyncio.get_running_loop().time())
        outcome = recovery.recover(channel, op.epoch, op.offset, channel.rules.recovery_max_publications)
        if outcome.needs_database:
            self._background.spawn(self._pacing.reading(stream, self._repair_later(stream, channel, op)))
        else:
            self._answer_repair(stream, channel, outcome)

    def _answer_repair(self, stream: ClientStream, channel: Channel, outcome: recovery.Outcome) -> None:
        stream.push(encode(Resumed(channel.name, channel.epoch, channel.top, outcome.recovered, raw(outcome.pubs))))

    async def _repair_later(self, stream: ClientStream, channel: Channel, op: Repair) -> None:
        limit = channel.rules.recovery_max_publications
        try:
            outcome = await recovery.recover_from_database(self._reader, channel, op.epoch, op.offset, limit)
        except StreamError as reason:
            logger.warning("repair cannot read the database", channel=channel.name, reason=str(reason))
            outcome = recovery.Outcome(recovered=False)
        except Exception:
            # Unanswered the process would take it for under way, and not compare the channel any more.
            logger.exception("repair failed", channel=channel.name)
            outcome = recovery.Outcome(recovered=False)
        self._answer_repair(stream, channel, outcome)

    def _compare(self, stream: ClientStream, op: Compare) -> None:
        behind = []
        for name, epoch, offset in op.positions:
            channel = self._table.find(name)
            if channel is None:
                behind.append((name, "", 0, False))
                continue
            hub = channel.hubs.get(stream.boot)
            is_registered = hub is not None and hub.stream is stream
            stands = (channel.epoch, channel.top) if channel.rules.has_history else ("", 0)
            if channel.loaded and not (is_registered and stands == (epoch, offset)):
                behind.append((name, *stands, is_registered))
        if behind:
            stream.push(encode(Behind(behind)))

    def _synced(self, stream: ClientStream, op: Synced) -> None:
        self._syncing[stream.boot] = stream
        self.settle()

    def settle(self) -> None:
        """Count the processes that have resumed all that they hold: said is not yet done, and a channel whose head or
        bucket is waited for does not know its members.
        """
        self._settling = None
        for boot, stream in list(self._syncing.items()):
            if self._alive(stream) and self._resuming(stream):
                continue
            del self._syncing[boot]
            if self._alive(stream):
                self._registry.synced(boot)
                self.rebuilding.synced(boot)

    def _departed(self, stream: ClientStream, op: Departed) -> None:
        if self.rebuilding.active:
            # Whoever was told of a join may not have come back yet; nothing is told before everybody has.
            self._early[stream.boot, op.request] = (stream, op)
        else:
            self._depart(stream, op)

    def _depart(self, stream: ClientStream, op: Departed) -> None:
        notice = (stream.boot, op.request)
        if notice not in self._noted:
            self._noted[notice] = None
            if len(self._noted) > NOTICES_REMEMBERED:
                self._noted.popitem(last=False)
            channel, process = self._table.find(op.channel), process_of(op.boot)
            # A process that is attached here holds what it holds, for as long as this link's own lease lasts.
            if channel is not None and not self._attached(process):
                self._registry.departed(channel, process, op.infos)
        stream.push(encode(Noted(op.request)))

    def _rebuilt(self) -> None:
        early, self._early = self._early, {}
        for stream, op in early.values():
            self._depart(stream, op)
        self._registry.announcer.rebuilt()

    def on_attach(self, stream: ClientStream, previous: ClientStream | None) -> None:
        """A process begins a session; `previous` is the one that it replaces."""
        if previous is not None:
            self._registry.begin(stream.boot)
