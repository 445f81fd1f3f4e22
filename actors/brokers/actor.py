"""The broker shard: owner of many thousands of channels."""

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from itertools import islice
from typing import Any, Final

import structlog

from actors.brokers import answers, recovery
from actors.brokers.channel import Channel, encode_pub
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.presence import Registry
from actors.brokers.relay import Relay
from actors.brokers.wire import (
    Acknowledged,
    Channels,
    ChannelsRead,
    Gap,
    History,
    HistoryRead,
    HistoryRemove,
    Operation,
    Presence,
    Publish,
    Repair,
    Resume,
    Resumed,
    Subscribe,
    Subscribed,
    Synced,
    Unsubscribe,
    encode,
    raw,
)
from actors.hosts.contract import ShardDeposed
from actors.links.frames import Submit
from actors.links.placement import buckets_of, shard_of
from actors.links.stream import ClientStream, StreamServer
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import Namespaces, UnknownNamespace
from cluster.settings import Settings
from db.outbox.relay import Outbox, Retention
from db.streams.errors import StreamError
from db.streams.reader import StreamReader
from db.streams.store import StreamStore

HOUSEKEEPING_S: Final = 0.5
SWEPT_PER_ROUND: Final = 2_000
"""Channels looked at per round: a sweep over all of them at once would hold up everybody."""

WAIT_LIMIT_S: Final = 3.0
"""How long an operation waits for its channel's head: less than what clients allow."""

IDLE_DURABLE_S: Final = 60.0
"""An unused durable channel leaves memory after this; the database has it."""

PRUNE_EVERY_S: Final = 60.0
PRUNE_ROWS: Final = 5_000

logger = structlog.get_logger(__name__)


class BrokerShard:
    """Own the channels of some buckets: order their publications, keep history and presence, feed the hubs.

    Hosted by `actors.hosts`; reached through `actors.brokers.handle`. Methods take and return msgpack (`wire`).

    State:
        Hard: none. Streams of durable namespaces, their heads and the outbox are in Postgres, behind this
        incarnation's fence. Soft: history, presence and idempotency keys of memory namespaces, which hubs listen to
        what, and what each has not read yet (bounded).
    Concurrency:
        Async, one event loop. An operation runs to its end in one turn, except where it reads the database; then it
        looks at the channel again and decides in one turn. One commit is in flight. Results and publications leave on
        one ordered stream per client, so their order is the order of turns.
    Failure:
        A submit may be sent again: (session, sequence) makes it happen once. Acknowledged on a durable channel means
        committed; error 100 means not acknowledged, possibly delivered. A shard whose fence was taken answers nothing
        any more (`ShardDeposed`).
    Restart:
        A new incarnation: clients see a reset and register again. Durable channels go on with the same epoch and the
        next offset, memory channels begin a new epoch.
    """

    def __init__(
        self,
        shard: int,
        shards: int,
        settings: Settings,
        *,
        namespaces: Namespaces | None = None,
        store: StreamStore | None = None,
        reader: StreamReader | None = None,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.incarnation = uuid.uuid4().hex
        self.namespaces = namespaces or Namespaces.load(settings.namespaces_file)
        self.channels: dict[str, Channel] = {}
        self.streams: StreamServer[Operation] = StreamServer(
            self.incarnation,
            Submit[Operation],
            apply=self._apply,
            encode_gap=lambda channel: encode(Gap(channel)),
            on_attach=self._on_attach,
            on_expire=lambda stream: self.registry.expire(stream.boot),
        )
        self.registry = Registry(self.channels.get)
        self._shard = shard
        self._shards = shards
        self._wall_ms = wall_ms
        self._recovering: set[tuple[str, str, int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweep: Iterator[str] = iter(())
        self._prune_at = 0.0
        name = f"mobula-broker-{shard}"
        store = store or StreamStore(settings.asyncpg_dsn, owner=self.incarnation, application_name=name)
        self._reader = reader or StreamReader(settings.asyncpg_dsn, application_name=f"{name}-reader")
        buckets = buckets_of(shard, shards)
        self.committer = Committer(
            store,
            buckets,
            shard,
            channels=lambda: [c for c in self.channels.values() if c.rules.durable and c.loaded],
            on_loaded=self._on_loaded,
            on_deposed=self.streams.close,
            wall_ms=wall_ms,
        )
        self.committer.feed = Relay(
            Outbox(store, buckets, self._retentions()),
            find=self.channels.get,
            get=self._channel,
            publish=self._publish_memory,
        )
        self._handlers: dict[type, Callable[[ClientStream, Any], None]] = {
            Publish: self._publish,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
            Resume: self._resume,
            Synced: self._synced,
            Repair: self._repair,
            History: self._history,
            HistoryRemove: self._history_remove,
            Presence: self._presence,
            Channels: self._channel_counts,
        }
        self._acks: list[tuple[int, int, str]] = []

    async def start(self) -> None:
        """Begin to work. Memory channels do not wait for the database; durable ones wait until it is there."""
        await self.committer.start()
        self._spawn(self._housekeep())

    async def stop(self) -> None:
        """Answer waiting polls and let go of the database."""
        self.streams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.committer.stop()
        await self._reader.close()

    async def poll(self, payload: bytes) -> bytes:
        """One long poll of a client's stream."""
        self._refuse_when_deposed()
        return await self.streams.poll(payload)

    async def submit(self, payload: bytes) -> bytes:
        """Operations of a client; answers only that they are accepted."""
        self._refuse_when_deposed()
        return await self.streams.submit(payload)

    async def poke(self, payload: bytes) -> bytes:
        """A transaction with publications has committed: look at the outbox now."""
        self._refuse_when_deposed()
        self.committer.poke()
        return b""

    def _refuse_when_deposed(self) -> None:
        if self.committer.deposed:
            raise ShardDeposed(f"broker shard {self._shard}")

    # Turns ------------------------------------------------------------------------------------------------------------

    def _apply(self, stream: ClientStream, operations: list[Operation]) -> None:
        self._acks = []
        handlers = self._handlers
        for op in operations:
            try:
                handlers[type(op)](stream, op)
            except BrokerError as refusal:
                answers.refuse(stream, op, refusal)
            except Exception:
                logger.exception("operation failed", operation=type(op).__name__)
                answers.refuse(stream, op, BrokerError(100, "internal error"))
        if self._acks:
            stream.push(encode(Acknowledged(self._acks)))
            self._acks = []

    def _channel(self, name: str) -> Channel:
        channel = self.channels.get(name)
        if channel is None:
            rules = self.namespaces.for_channel(name)
            if shard_of(name, self._shards) != self._shard:
                raise BrokerError(100, "the channel belongs to another shard")
            channel = self.channels[name] = Channel(name, rules, asyncio.get_running_loop().time())
        return channel

    def _loaded(self, stream: ClientStream, op: Any) -> Channel | None:
        """The operation's channel, or None when the operation waits for its head to be read."""
        try:
            channel = self.channels.get(op.channel) or self._channel(op.channel)
        except UnknownNamespace:
            raise BrokerError(102, "unknown channel") from None
        except InvalidChannel as reason:
            raise BrokerError(107, str(reason)) from None
        channel.touched = now = asyncio.get_running_loop().time()
        if not channel.loaded:
            channel.waiting.append((stream, op, now))
            self.committer.load(channel)
            return None
        return channel

    def _on_loaded(self, channel: Channel) -> None:
        waiting, channel.waiting = channel.waiting, []
        for stream, op, _ in waiting:
            self._apply(stream, [op])

    # Publications -----------------------------------------------------------------------------------------------------

    def _publish(self, stream: ClientStream, op: Publish) -> None:
        channel = self._loaded(stream, op)
        if channel is None:
            return
        if channel.rules.durable:
            self.committer.publish(stream, channel, op)
        elif op.resent:
            raise BrokerError(100, "not acknowledged by the shard's last incarnation")
        else:
            self._acks.append((op.request, *self._publish_memory(channel, op)))

    def _publish_memory(self, channel: Channel, op: Publish) -> tuple[int, str]:
        now = asyncio.get_running_loop().time()
        if op.idempotency_key:
            known = channel.idempotent(op.idempotency_key, now)
            if known is not None:
                return known
        if op.version:
            if channel.is_stale(op.version, op.version_epoch):
                return channel.top, channel.epoch
            channel.version, channel.version_epoch = op.version, op.version_epoch
        rules = channel.rules
        delta = op.delta or rules.delta_publish
        if rules.has_history and not op.skip_history:
            offset, epoch = channel.top + 1, channel.epoch
            channel.accept(offset, epoch, encode_pub(op, offset, epoch, self._wall_ms(), delta=delta), now)
        else:
            offset, epoch = 0, ""
            channel.fan_out(encode_pub(op, 0, "", self._wall_ms(), delta=delta))
        if op.idempotency_key:
            channel.remember(op.idempotency_key, offset, epoch, now)
        return offset, epoch

    # Subscriptions ----------------------------------------------------------------------------------------------------

    def _subscribe(self, stream: ClientStream, op: Subscribe) -> None:
        channel = self._loaded(stream, op)
        if channel is None:
            return
        channel.ring.expire(asyncio.get_running_loop().time())
        outcome = recovery.Outcome(recovered=False)
        if op.recover and channel.rules.has_history:
            if op.cache_mode:
                outcome = recovery.recover_latest(channel, op.epoch, op.offset)
            else:
                outcome = recovery.recover(channel, op.epoch, op.offset, self._recovery_limit(channel, op))
        if outcome.needs_database:
            self._spawn(self._subscribe_later(stream, channel, op))
        else:
            self._register(stream, channel, op, outcome)

    def _register(self, stream: ClientStream, channel: Channel, op: Subscribe, outcome: recovery.Outcome) -> None:
        """Recovery is decided: register and answer in the same turn, so that nothing falls in between."""
        is_new = self.registry.add(channel, stream, op.subscriber)
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
            self.registry.join(channel, op.subscriber)

    async def _subscribe_later(self, stream: ClientStream, channel: Channel, op: Subscribe) -> None:
        attempt = (stream.boot, channel.name, op.subscriber.subscription)
        self._recovering.add(attempt)
        try:
            if op.cache_mode:
                outcome = await recovery.recover_latest_from_database(self._reader, channel, op.epoch, op.offset)
            else:
                limit = self._recovery_limit(channel, op)
                outcome = await recovery.recover_from_database(self._reader, channel, op.epoch, op.offset, limit)
        except StreamError as reason:
            logger.warning("recovery cannot read the database", channel=channel.name, reason=str(reason))
            if attempt in self._recovering:
                answers.refuse(stream, op, BrokerError(100, "the stream cannot be read now"))
        else:
            still_there = self.streams.clients.get(stream.boot) is stream
            if attempt in self._recovering and still_there and self.channels.get(channel.name) is channel:
                self._register(stream, channel, op, outcome)
        finally:
            self._recovering.discard(attempt)

    def _recovery_limit(self, channel: Channel, op: Subscribe) -> int:
        return min(op.limit or channel.rules.recovery_max_publications, channel.rules.recovery_max_publications)

    def _unsubscribe(self, stream: ClientStream, op: Unsubscribe) -> None:
        self._recovering.discard((stream.boot, op.channel, op.subscription))
        channel = self.channels.get(op.channel)
        if channel is None:
            return
        channel.waiting = [
            waiting
            for waiting in channel.waiting
            if not (
                waiting[0] is stream
                and isinstance(waiting[1], Subscribe)
                and waiting[1].subscriber.subscription == op.subscription
            )
        ]
        channel.touched = asyncio.get_running_loop().time()
        self.registry.remove(channel, stream.boot, op.subscription)

    def _resume(self, stream: ClientStream, op: Resume) -> None:
        channel = self._loaded(stream, op)
        if channel is not None:
            self.registry.resume(channel, stream, op.subscribers)
            self._repair_channel(stream, channel, op.epoch, op.offset)

    def _repair(self, stream: ClientStream, op: Repair) -> None:
        channel = self._loaded(stream, op)
        if channel is not None:
            self._repair_channel(stream, channel, op.epoch, op.offset)

    def _repair_channel(self, stream: ClientStream, channel: Channel, epoch: str, offset: int) -> None:
        if not channel.rules.has_history:
            stream.push(encode(Resumed(channel.name, "", 0, ok=True, pubs=[])))
            return
        channel.ring.expire(asyncio.get_running_loop().time())
        outcome = recovery.recover(channel, epoch, offset, channel.rules.recovery_max_publications)
        if outcome.needs_database:
            self._spawn(self._repair_later(stream, channel, epoch, offset))
        else:
            self._answer_repair(stream, channel, epoch, outcome)

    def _answer_repair(self, stream: ClientStream, channel: Channel, epoch: str, outcome: recovery.Outcome) -> None:
        # Who had no position yet has missed nothing.
        ok = outcome.recovered or not epoch
        pubs = raw(outcome.pubs) if outcome.recovered and epoch else []
        stream.push(encode(Resumed(channel.name, channel.epoch, channel.top, ok, pubs)))

    async def _repair_later(self, stream: ClientStream, channel: Channel, epoch: str, offset: int) -> None:
        limit = channel.rules.recovery_max_publications
        try:
            outcome = await recovery.recover_from_database(self._reader, channel, epoch, offset, limit)
        except StreamError as reason:
            logger.warning("repair cannot read the database", channel=channel.name, reason=str(reason))
            outcome = recovery.Outcome(recovered=False)
        self._answer_repair(stream, channel, epoch, outcome)

    def _synced(self, stream: ClientStream, op: Synced) -> None:
        self.registry.synced(stream.boot)

    def _on_attach(self, stream: ClientStream, previous: ClientStream | None) -> None:
        if previous is not None:
            self.registry.begin(stream.boot)

    # Questions --------------------------------------------------------------------------------------------------------

    def _history(self, stream: ClientStream, op: History) -> None:
        channel = self._loaded(stream, op)
        if channel is None:
            return
        rules = channel.rules
        if not rules.has_history:
            raise BrokerError(108, "the namespace keeps no history")
        if op.since and op.epoch and op.epoch != channel.epoch:
            raise BrokerError(112, "the stream has another epoch now")
        channel.ring.expire(asyncio.get_running_loop().time())
        bound = rules.recovery_max_publications
        limit = bound if op.limit < 0 else min(op.limit, bound)
        offset = op.offset if op.since else None
        pubs = recovery.read_history(channel, offset, limit, reverse=op.reverse) if limit else []
        if pubs is None:
            self._spawn(self._history_later(stream, channel, op, offset, limit))
        else:
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, raw(pubs))))

    async def _history_later(
        self, stream: ClientStream, channel: Channel, op: History, offset: int | None, limit: int
    ) -> None:
        try:
            pubs = await recovery.read_history_from_database(self._reader, channel, offset, limit, reverse=op.reverse)
        except StreamError as reason:
            logger.warning("history cannot be read", channel=channel.name, reason=str(reason))
            answers.refuse(stream, op, BrokerError(100, "the stream cannot be read now"))
        else:
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, raw(pubs))))

    def _history_remove(self, stream: ClientStream, op: HistoryRemove) -> None:
        channel = self._loaded(stream, op)
        if channel is None:
            return
        if not channel.rules.has_history:
            raise BrokerError(108, "the namespace keeps no history")
        top = channel.top
        if channel.rules.durable:
            self._spawn(self._remove_later(stream, channel, op, top))
            return
        channel.ring.clear(top)
        stream.push(encode(HistoryRead(op.request, channel.epoch, top, [])))

    async def _remove_later(self, stream: ClientStream, channel: Channel, op: HistoryRemove, top: int) -> None:
        try:
            await self._reader.clear(channel.name, top)
        except StreamError as reason:
            logger.warning("history cannot be removed", channel=channel.name, reason=str(reason))
            answers.refuse(stream, op, BrokerError(100, "the stream cannot be changed now"))
        else:
            channel.ring.drop(top)
            stream.push(encode(HistoryRead(op.request, channel.epoch, channel.top, [])))

    def _presence(self, stream: ClientStream, op: Presence) -> None:
        stream.push(encode(answers.presence(self.namespaces, self.channels, op)))

    def _channel_counts(self, stream: ClientStream, op: Channels) -> None:
        counts = self.registry.counts(self.channels.values(), op.pattern)
        stream.push(encode(ChannelsRead(op.request, counts)))

    # Time -------------------------------------------------------------------------------------------------------------

    async def _housekeep(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                now = asyncio.get_running_loop().time()
                self.streams.expire(now)
                self.committer.tick(now)
                self._sweep_channels(now)
                if self._shard == 0 and now >= self._prune_at:
                    self._prune_at = now + PRUNE_EVERY_S
                    self._spawn(self._prune())
            except Exception:
                logger.exception("housekeeping failed")

    def _sweep_channels(self, now: float) -> None:
        names = list(islice(self._sweep, SWEPT_PER_ROUND))
        if not names:
            self._sweep = iter(list(self.channels))
        for name in names:
            channel = self.channels.get(name)
            if channel is None:
                continue
            channel.ring.expire(now)
            while channel.waiting and channel.waiting[0][2] < now - WAIT_LIMIT_S:
                stream, op, _ = channel.waiting.pop(0)
                answers.refuse(stream, op, BrokerError(100, "the database cannot be reached"))
            life = IDLE_DURABLE_S if channel.rules.durable else channel.rules.history_meta_ttl_s
            if not channel.rules.has_history:
                life = 0
            if not channel.in_use and now - channel.touched >= life and channel.loaded:
                del self.channels[name]

    async def _prune(self) -> None:
        try:
            while await self._reader.prune(PRUNE_ROWS) >= PRUNE_ROWS:
                pass
        except StreamError as reason:
            logger.warning("expired publications cannot be pruned", reason=str(reason))

    def _retentions(self) -> list[Retention]:
        rules = [self.namespaces.get(name) for name in self.namespaces.names]
        return [Retention(ns.name, ns.history_ttl_s, ns.history_meta_ttl_s) for ns in rules if ns.durable]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
