"""The broker shard: owner of many thousands of channels."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from actors.brokers import answers
from actors.brokers.attempts import Attempts
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.items import Gap
from actors.brokers.map_relay import MapRelay
from actors.brokers.map_turns import MapTurns
from actors.brokers.moving import Moving
from actors.brokers.operations import Channels, Compare, Operation, Repair, Resume, Synced
from actors.brokers.ownership import Ownership
from actors.brokers.pacing import Pacing
from actors.brokers.polling import Polling
from actors.brokers.presence import Registry
from actors.brokers.presence_view import PresenceViews
from actors.brokers.publishing import Publishing
from actors.brokers.questions import Questions
from actors.brokers.relay import Relay
from actors.brokers.subscribing import Subscribing
from actors.brokers.table import ChannelTable
from actors.brokers.wire import encode
from actors.hosts import handle as hosts
from actors.hosts.contract import ShardDeposed
from actors.links import incarnations
from actors.links.frames import Submit
from actors.links.placement import buckets_of
from actors.links.shards import ShardCall
from actors.links.stream import ClientStream, StreamServer
from actors.metrics.registry import BROKER_CHANNELS, BROKER_MEMORY
from actors.namespaces.watching import WatchedNamespaces
from actors.protocol.namespaces import Namespaces
from cluster.background import Background
from cluster.settings import Settings
from db.outbox.relay import Outbox, Retention
from db.streams.errors import StreamError
from db.streams.reader import StreamReader
from db.streams.store import StreamStore

HOUSEKEEPING_S: Final = 0.5
PRUNE_EVERY_S: Final = 60.0
PRUNE_ROWS: Final = 5_000

WITHOUT_CHANNEL: Final = (Synced, Channels, Compare)
"""Operations that concern the whole shard."""

logger = structlog.get_logger(__name__)


class BrokerShard:
    """Own the channels of some buckets: order their publications, keep history and presence, feed the hubs.

    Hosted by `actors.hosts`; reached through `actors.brokers.handle`. Methods take and return msgpack (`wire`).

    State:
        Hard: none. Streams of durable namespaces, their heads and the outbox are in Postgres, behind this
        incarnation's fence. Soft: history, presence and idempotency keys of memory namespaces, which hubs listen to
        what, and what each has not read yet. All bounded (`room`).
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
        next offset, memory channels begin a new epoch. Until every living hub has resumed, or one lease has passed, it
        is rebuilding: no joins or leaves are told, and presence answers 100.
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
        call: ShardCall | None = None,
        open_shard: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self.incarnation = incarnations.mint()
        self._watched = WatchedNamespaces(settings.namespaces_file) if namespaces is None else None
        self.namespaces = self._watched.current if self._watched is not None else namespaces or Namespaces({})
        buckets = buckets_of(shard, shards)
        self.ownership = Ownership(shard, buckets)
        self.table = ChannelTable(self.namespaces, lambda bucket: bucket in self.ownership.owned)
        self.table.room.bound(settings.broker_channels_max, settings.broker_memory_mb)
        self.registry = Registry(self.table.find)
        self.background = Background()
        self._shard = shard
        self._prune_at = 0.0
        name = f"mobula-broker-{shard}"
        store = store or StreamStore(settings.asyncpg_dsn, owner=self.incarnation, application_name=name)
        self._reader = reader or StreamReader(settings.asyncpg_dsn, application_name=f"{name}-reader")
        self.committer = Committer(
            store,
            buckets,
            shard,
            channels=self._durable_channels,
            on_loaded=self.table.loaded,
            on_deposed=lambda: self.streams.close(),
            on_taken=self.ownership.taken,
            on_unreachable=self.ownership.begin,
            wall_ms=wall_ms,
        )
        self.table.load, self.table.unload = self.committer.load, self.committer.unload
        self.table.again = self._carry_out
        attempts = Attempts()
        self.pacing = Pacing(self._decide)
        views = PresenceViews(self.table.find, wall_ms)
        self.maps = MapTurns(
            self.table,
            self.registry,
            self.committer,
            self._reader,
            self.background,
            attempts,
            self.pacing,
            views=views,
            alive=self._alive,
            wall_ms=wall_ms,
        )
        self.registry.left, self.registry.emptied = self.maps.left, self.table.room.rests
        self.registry.admitted, self.registry.dismissed = views.admitted, views.dismissed
        self.publishing = Publishing(self.table, self.committer, wall_ms=wall_ms, change=self.maps.change)
        self._outbox = Outbox(store, buckets, self._retentions())
        self.committer.feed = Relay(
            self._outbox,
            buckets=lambda: self.ownership.settled,
            find=self.table.find,
            get=self.table.get,
            publish=self.publishing.publish_memory,
            change=MapRelay(self.committer, store, self.table.get).change,
        )
        self.subscribing = Subscribing(
            self.table,
            self.registry,
            self._reader,
            self.background,
            attempts,
            self.pacing,
            alive=self._alive,
            attached=lambda boot: boot in self.streams.clients,
            resuming=lambda stream: self.ownership.holds(stream, Resume) or self.table.waits(stream, Resume),
        )
        questions = Questions(self.table, self.registry, self._reader, self.background, self.pacing)
        self.streams: StreamServer[Operation] = StreamServer(
            self.incarnation,
            Submit[Operation],
            apply=self._apply,
            encode_gap=lambda channel: encode(Gap(channel)),
            on_attach=self.subscribing.on_attach,
            on_expire=lambda stream: self.registry.expire(stream.boot),
            on_read=self.pacing.release,
        )
        self.ownership.carry_out = self._carry_out
        self.ownership.refuse, self.table.refused = self._refuse_held, self._note_refusal
        self.moving = Moving(
            self.incarnation,
            self.ownership,
            self.table,
            self.registry,
            self.committer,
            self._reader,
            self.background,
            self.streams,
            call=call or others(),
            open_shard=open_shard or open_other,
        )
        self.moving.landed = self.maps.schedule
        self._handlers = self.pacing.paced(
            {
                **self.publishing.handlers,
                **self.subscribing.handlers,
                **questions.handlers,
                **self.maps.handlers,
                **Polling(self.table).handlers,
            }
        )
        self.subscribing.repair = self._handlers[Repair]

    async def start(self) -> None:
        """Begin to work. Memory channels do not wait for the database; durable ones wait until it is there."""
        await self.committer.start()
        self.background.spawn(self.subscribing.rebuilding.run())
        self.background.spawn(self._housekeep())
        if self._watched is not None:
            self.background.spawn(self._watched.watch(self._take))

    async def stop(self) -> None:
        """Answer waiting polls and let go of the database."""
        self.streams.close()
        self._measure(0, 0)
        await self.background.stop()
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

    async def rules(self, payload: bytes) -> bytes:
        """Which version of the namespaces is in force here, after a look at the file."""
        self._refuse_when_deposed()
        if self._watched is not None:
            found = await self._watched.look()
            if found is not None:
                await self._take(found)
                self._watched.take(found)
        return self.namespaces.version.encode()

    async def _take(self, namespaces: Namespaces) -> None:
        self.use(namespaces)

    def use(self, namespaces: Namespaces) -> None:
        """Take other rules, in one turn."""
        self.namespaces = namespaces
        self._outbox.keep(self._retentions())
        self.table.use(namespaces)

    async def move(self, payload: bytes) -> bytes:
        """Give buckets to another shard (`carrying.Move`). Raises MoveFailed when they stay."""
        self._refuse_when_deposed()
        return await self.moving.move(payload)

    async def expect(self, payload: bytes) -> bytes:
        """Buckets are about to come (`carrying.Arriving`)."""
        self._refuse_when_deposed()
        return await self.moving.expect(payload)

    async def land(self, payload: bytes) -> bytes:
        """Channels of buckets that come (`carrying.Landing`)."""
        self._refuse_when_deposed()
        return await self.moving.land(payload)

    async def followed(self, payload: bytes) -> bytes:
        """Whether every process that listens has read where the buckets went (msgpack): then this shard may end."""
        self._refuse_when_deposed()
        return encode(self.moving.followed)

    async def owners(self, payload: bytes) -> bytes:
        """Bucket → shard according to the database, as msgpack."""
        return encode(await self._reader.owners())

    def _refuse_when_deposed(self) -> None:
        if self.committer.deposed:
            raise ShardDeposed(f"broker shard {self._shard}")

    def _apply(self, stream: ClientStream, operations: list[Operation]) -> None:
        if stream.held_back:
            self.pacing.given_up(stream, operations)
        ownership, seen = self.ownership, stream.seen
        admitted = [op for op in operations if isinstance(op, WITHOUT_CHANNEL) or ownership.admits(stream, op, seen)]
        self._carry_out(stream, admitted)

    def _decide(self, stream: ClientStream, op: Operation, seen: int) -> None:
        if isinstance(op, WITHOUT_CHANNEL) or self.ownership.admits(stream, op, seen):
            self._carry_out(stream, [op])

    def _carry_out(self, stream: ClientStream, operations: list[Operation]) -> None:
        if not self._alive(stream):
            # It waited here while its process began anew, which asks again for all that it still wants: registered
            # with the former stream it would hear nothing.
            return
        handlers = self._handlers
        for op in operations:
            try:
                handlers[type(op)](stream, op)
            except BrokerError as refusal:
                answers.refuse(stream, op, refusal)
            except Exception:
                logger.exception("operation failed", operation=type(op).__name__)
                answers.refuse(stream, op, BrokerError(100, "internal error"))
        self.publishing.flush(stream)

    def _refuse_held(self, stream: ClientStream, op: Operation) -> None:
        answers.refuse(stream, op, BrokerError(100, "the channel is moving"))
        self._note_refusal(stream, op)

    def _note_refusal(self, stream: ClientStream, op: Operation) -> None:
        if isinstance(op, Resume):
            self.registry.refused(stream.boot, op.channel)

    def _durable_channels(self) -> list[Channel]:
        """Not those that were given away and are still being carried over: their heads are the next owner's."""
        owned = self.ownership.owned
        return [c for c in self.table.channels.values() if c.rules.durable and c.loaded and c.bucket in owned]

    def _alive(self, stream: ClientStream) -> bool:
        return self.streams.clients.get(stream.boot) is stream

    async def _housekeep(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                now = asyncio.get_running_loop().time()
                self.streams.expire(now)
                self.committer.tick(now)
                self.table.sweep(now)
                self.maps.expire(now)
                self.moving.check(now)
                self.subscribing.settle()
                self.pacing.check(list(self.streams.clients.values()), now)
                self._measure(len(self.table.channels), self.table.room.memory.bytes)
                if self._shard == 0 and now >= self._prune_at:
                    self._prune_at = now + PRUNE_EVERY_S
                    self.background.spawn(self._prune())
            except Exception:
                logger.exception("housekeeping failed")

    def _measure(self, channels: int, kept: int) -> None:
        BROKER_CHANNELS.labels(str(self._shard)).set(channels)
        BROKER_MEMORY.labels(str(self._shard)).set(kept)

    async def _prune(self) -> None:
        try:
            while await self._reader.prune(PRUNE_ROWS) >= PRUNE_ROWS:
                pass
        except StreamError as reason:
            logger.warning("expired publications cannot be pruned", reason=str(reason))

    def _retentions(self) -> list[Retention]:
        rules = [self.namespaces.get(name) for name in self.namespaces.names]
        return [Retention(ns.name, ns.history_ttl_s, ns.history_meta_ttl_s, ns.is_map) for ns in rules if ns.durable]


async def open_other(shard: int) -> None:
    """See to it that a shard is hosted to which nothing is dealt by its number."""
    await hosts.open_shard("brokers", shard, 0)


def others() -> ShardCall:
    """The way to the other shards."""

    async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
        return await hosts.call("brokers", shard, method, payload, timeout_s)

    return call
