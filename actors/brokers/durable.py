"""Group commit: publications of durable channels are committed first, and only then anybody hears of them.

One commit is in flight; what gathers meanwhile is the next batch. Readers of a channel see only its committed top.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

import structlog

from actors.brokers import map_changes, map_durable
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.epochs import new_epoch
from actors.brokers.handover import Gift, Handover
from actors.brokers.items import Acknowledged, EpochChanged, Failed, Gap, Suppressed
from actors.brokers.operations import MapClear, Publish
from actors.brokers.stored import attributes_of
from actors.brokers.wire import encode
from actors.links.stream import ClientStream
from db.streams.errors import AlreadyKnown, Ambiguous, Busy, Fenced, Refused, StaleHead, StreamError
from db.streams.store import Commit, Head, HeadChange, StreamStore

MAX_BATCH: Final = 1_000
MAX_BATCH_BYTES: Final = 2 * 1024 * 1024
"""Bounds of one commit: it must stay far below the statement timeout, and its latency is everybody's."""

ANSWER_WITHIN_S: Final = 3.0
"""What is not committed by then is answered with error 100 (rule 6): the SDKs' own limit is 5 s."""

MAX_OPENED: Final = 500
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_LIMIT_S: Final = 2.0
IDLE_S: Final = 0.1
"""How often the outbox is looked at when nobody pokes: rows written by plain SQL announce themselves to nobody."""

logger = structlog.get_logger(__name__)


class Entry:
    """One publication on its way to the database. Without a stream, nobody waits for an answer."""

    __slots__ = ("answered", "channel", "offset", "op", "pub", "refusal", "since", "stream", "time_ms")

    def __init__(self, stream: ClientStream | None, channel: Channel, op: Publish, since: float, time_ms: int) -> None:
        self.stream = stream
        self.channel = channel
        self.op = op
        self.since = since
        self.time_ms = time_ms
        self.offset = 0
        self.pub = b""
        self.answered = False
        self.refusal = ""

    def refuse(self, item: bytes, reason: str) -> None:
        """Answer that it is not made."""
        self.answered, self.refusal = True, reason
        if self.stream is not None:
            self.stream.push(item)


class Feed(Protocol):
    """Something else that commits on the same connection: the outbox relay."""

    async def turn(self, fence: int) -> bool:
        """Move what is committed; True when there may be more."""


class Committer:
    """The owner of a shard's durable streams in the database.

    `channels()` are the durable channels in memory. `on_loaded(channel)` runs when a channel's head has been read,
    `on_deposed()` when another owner has taken over: then nothing is committed or answered as committed any more.
    """

    def __init__(
        self,
        store: StreamStore,
        buckets: Sequence[int],
        shard: int,
        *,
        on_taken: Callable[[Iterable[int]], None] = lambda buckets: None,
        on_unreachable: Callable[[], None] = lambda: None,
        channels: Callable[[], Iterable[Channel]],
        on_loaded: Callable[[Channel], None],
        on_deposed: Callable[[], None],
        wall_ms: Callable[[], int],
    ) -> None:
        self.fence: int | None = None
        self.deposed = False
        self.feed: Feed | None = None
        self._store = store
        self._buckets = list(buckets)
        self._shard = shard
        self._channels = channels
        self._on_loaded = on_loaded
        self._on_deposed = on_deposed
        self._on_taken = on_taken
        self._on_unreachable = on_unreachable
        self.handover = Handover(self.poke)
        self.wall_ms = wall_ms
        self._again = False
        self._queue: deque[Entry] = deque()
        self._in_flight: list[Entry] = []
        self._loading: dict[str, Channel] = {}
        self._maps = map_durable.PersistentMaps(store)
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to take over and to commit, for as long as it takes to reach the database."""
        self._running = asyncio.create_task(self._run(), name=f"committer-{self._shard}")

    async def stop(self) -> None:
        """Stop between two commits if possible, and close the connection."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        self.handover.fail()
        await self._store.close()

    def poke(self) -> None:
        """There is something to do: in the outbox, or about a move."""
        self._wake.set()

    def load(self, channel: Channel) -> None:
        """Read the channel's head; `on_loaded` tells when it is there."""
        self._loading[channel.name] = channel
        self._wake.set()

    def unload(self, channel: Channel) -> None:
        """Nobody wants the channel's head any more."""
        if self._loading.get(channel.name) is channel:
            del self._loading[channel.name]

    def publish(self, stream: ClientStream, channel: Channel, op: Publish) -> None:
        """Queue a publication of a loaded channel. It is acknowledged on the stream once it is committed."""
        now = asyncio.get_running_loop().time()
        self._queue.append(Entry(stream, channel, op, now, self.wall_ms()))
        self._wake.set()

    def clear(self, stream: ClientStream, channel: Channel, op: MapClear) -> None:
        """Forget a loaded map's keys and stream, after what was queued before."""
        self._maps.clears.append((stream, channel, op))
        self._wake.set()

    def tick(self, now: float) -> None:
        """Answer what has waited too long with error 100: not acknowledged."""
        limit = now - ANSWER_WITHIN_S
        while self._queue and self._queue[0].since < limit:
            self._fail([self._queue.popleft()])
        # Answered, but kept: if it turns out to be committed, the stream contains it.
        for entry in self._in_flight:
            if entry.since < limit and not entry.answered:
                self._fail([entry], message="not known to be committed")

    # The loop ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        delay = BACKOFF_FIRST_S
        while not self.deposed:
            try:
                if self.fence is None:
                    await self._take_over()
                await self._turn()
                delay = BACKOFF_FIRST_S
            except Fenced as reason:
                self._depose(reason)
            except Ambiguous as reason:
                # Whatever was in flight is resolved after the next take-over, which ends the old connection's writes.
                logger.warning("database connection lost", shard=self._shard, reason=str(reason))
                self._store.abandon()
                self.fence = None
                self._on_unreachable()
                await asyncio.sleep(delay)
                delay = min(BACKOFF_LIMIT_S, delay * 2)
            except StreamError as reason:
                logger.warning("turn failed", shard=self._shard, reason=repr(reason))
                if self.fence is None:
                    # It refuses: for what needs no database that is no different from being away.
                    self._on_unreachable()
                await asyncio.sleep(delay)
                delay = min(BACKOFF_LIMIT_S, delay * 2)
            except Exception:
                logger.exception("turn failed", shard=self._shard)
                self._store.abandon()
                self.fence = None
                self._on_unreachable()
                await asyncio.sleep(delay)
                delay = min(BACKOFF_LIMIT_S, delay * 2)

    async def _take_over(self) -> None:
        await self._store.connect()
        await self._take()
        await self._resolve()

    async def _take(self) -> None:
        self.fence, taken = await self._store.take_shard(self._shard, self._buckets, again=self._again)
        self._again = True
        logger.info("buckets taken", shard=self._shard, fence=self.fence, buckets=len(taken))
        self._on_taken(taken)

    async def _turn(self) -> None:
        fence = self.fence
        if fence is None:
            return
        self._wake.clear()
        if self._loading:
            await self._open(fence)
        # Committed outbox rows go before the direct publications that gathered meanwhile (rule 10).
        more = await self.feed.turn(fence) if self.feed is not None else False
        if self._queue:
            await self._commit(fence)
        await self._maps.clear(fence)
        await self.handover.turn(self._give, self._take)
        if not more and not self._queue and not self._loading:
            # Not wait_for, which may swallow a cancellation that comes together with the wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(IDLE_S):
                    await self._wake.wait()

    async def _give(self, gift: Gift) -> None:
        moving = set(gift.buckets)
        self._queue = deque(entry for entry in self._queue if entry.channel.bucket not in moving)
        self._loading = {n: channel for n, channel in self._loading.items() if channel.bucket not in moving}
        self._maps.clears = deque(clear for clear in self._maps.clears if clear[1].bucket not in moving)
        await self._store.move(self.fence or 0, gift.buckets, gift.shard, gift.owner)

    # Heads ------------------------------------------------------------------------------------------------------------

    async def _open(self, fence: int) -> None:
        channels = [channel for _, channel in zip(range(MAX_OPENED), self._loading.values(), strict=False)]
        heads = await self._read_heads(fence, channels)
        await self._maps.load(c for c in channels if c.name in heads and not c.loaded)
        for channel in channels:
            # Not by name: another kind of channel may have taken its place, and waits for a head of its own.
            self.unload(channel)
            head = heads.get(channel.name)
            if head is not None and not channel.loaded:
                channel.epoch, channel.top = head.epoch, head.top
                channel.version, channel.version_epoch = head.version, head.version_epoch
                channel.ring.clear(head.top)
                channel.loaded = True
            if channel.loaded:
                self._on_loaded(channel)

    async def _read_heads(self, fence: int, channels: Sequence[Channel]) -> dict[str, Head]:
        heads = await self._store.open(
            fence,
            [channel.bucket for channel in channels],
            [channel.name for channel in channels],
            [new_epoch() for _ in channels],
            [channel.rules.history_meta_ttl_s for channel in channels],
        )
        return {head.channel: head for head in heads}

    async def correct_heads(self, fence: int, channels: Iterable[Channel]) -> None:
        """Make memory agree with the database. Hubs that listen fetch what they did not hear from there."""
        distinct = {channel.name: channel for channel in channels if channel.loaded}
        if not distinct:
            return
        for name, head in (await self._read_heads(fence, list(distinct.values()))).items():
            channel = distinct[name]
            channel.version, channel.version_epoch = head.version, head.version_epoch
            if (channel.epoch, channel.top) == (head.epoch, head.top):
                continue
            same = channel.epoch == head.epoch
            channel.epoch, channel.top = head.epoch, head.top
            channel.ring.clear(head.top)
            await self._maps.load([channel])
            channel.tell(encode(Gap(name)) if same else encode(EpochChanged(name, head.epoch, head.top)))

    # Commits ----------------------------------------------------------------------------------------------------------

    def _next_batch(self) -> list[Entry]:
        batch: list[Entry] = []
        size = 0
        limit = asyncio.get_running_loop().time() - ANSWER_WITHIN_S
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            entry = self._queue.popleft()
            if entry.since < limit:
                self._fail([entry])
                continue
            size += len(entry.op.data)
            batch.append(entry)
        return batch

    async def _commit(self, fence: int) -> None:
        await self._commit_batch(fence, self._next_batch())

    async def _commit_batch(self, fence: int, batch: list[Entry]) -> None:
        if any(entry.op.resent and entry.channel.map is not None for entry in batch):
            # What was committed by a lost incarnation must not be refused by a condition that it fulfilled itself.
            self._in_flight = batch
            found = await self._maps.known(batch)
            self._in_flight = []
            self._acknowledge((entry, offset, entry.channel.epoch) for entry, offset in found)
            batch = [entry for entry in batch if not entry.answered]
        batch, commit = self.compose(batch)
        if not batch:
            return
        self._in_flight = batch
        try:
            await self._store.commit(fence, commit)
        except AlreadyKnown:
            self._requeue(batch)
            await self._answer_known(batch)
        except StaleHead:
            self._requeue(batch)
            await self.correct_heads(fence, [entry.channel for entry in batch])
        except (Busy, Fenced):
            self._requeue(batch)
            raise
        except Refused as reason:
            self._in_flight = []
            await self._isolate(fence, batch, reason)
        else:
            # Any other exception leaves it in flight: what came of it is found out after the next take-over.
            self._in_flight = []
            self.committed(batch)

    async def _isolate(self, fence: int, batch: list[Entry], reason: Refused) -> None:
        """One publication that Postgres cannot store must not fail its neighbours."""
        if len(batch) == 1:
            logger.warning("publication refused", channel=batch[0].op.channel, reason=str(reason))
            self._fail(batch, code=107, message="the publication cannot be stored")
            return
        half = len(batch) // 2
        # The second half waits in its place: whatever becomes of the first one, what is queued again goes before it.
        self._requeue(batch[half:])
        await self._commit_batch(fence, batch[:half])

    def compose(self, entries: list[Entry]) -> tuple[list[Entry], Commit]:
        """Give offsets, answer what needs no row, and lay the rest out in columns."""
        commit = Commit()
        batch: list[Entry] = []
        heads: dict[str, HeadChange] = {}
        seen: set[tuple[str, str]] = set()
        maps = map_durable.MapBatch()
        now = asyncio.get_running_loop().time()
        for entry in entries:
            op, channel = entry.op, entry.channel
            rules = channel.rules
            if (op.channel, op.publication_id) in seen or (
                op.idempotency_key and (op.channel, "key " + op.idempotency_key) in seen
            ):
                # A repetition within the batch: the next commit finds the first one in the database.
                self._queue.appendleft(entry)
                continue
            known = channel.idempotent(op.idempotency_key, now) if op.idempotency_key else None
            head = heads.get(op.channel)
            if head is None:
                head = HeadChange(
                    op.channel,
                    channel.epoch,
                    channel.top,
                    channel.top,
                    channel.version,
                    channel.version_epoch,
                    rules.history_meta_ttl_s,
                )
            if known is not None:
                self._acknowledge([(entry, *known)])
                continue
            if channel.map is not None:
                if not self._may_change(maps, entry, head.new + 1):
                    continue
            elif op.version and op.version_epoch == head.version_epoch and op.version <= head.version:
                self._acknowledge([(entry, channel.top, channel.epoch)])
                continue
            heads[op.channel] = head
            head.new += 1
            if op.version and channel.map is None:
                head.version, head.version_epoch = op.version, op.version_epoch
            entry.offset = head.new
            entry.op = op = maps.tagged(channel, op)
            attributes = attributes_of(op, delta=op.delta)
            before = maps.before(channel, op)
            entry.pub = map_changes.compose(channel, op, head.new, channel.epoch, entry.time_ms, before=before)
            maps.add(channel, op, head.new, entry.time_ms, attributes)
            seen.add((op.channel, op.publication_id))
            commit.buckets.add(channel.bucket)
            commit.channels.append(op.channel)
            commit.offsets.append(head.new)
            commit.ids.append(op.publication_id)
            commit.data.append(op.data)
            commit.attributes.append(attributes)
            commit.times_ms.append(entry.time_ms)
            commit.ttls_s.append(rules.history_ttl_s)
            if op.idempotency_key:
                seen.add((op.channel, "key " + op.idempotency_key))
                commit.keys.append((op.channel, op.idempotency_key, channel.epoch, head.new))
            batch.append(entry)
        commit.heads = list(heads.values())
        commit.map_keys = maps.rows()
        return batch, commit

    def _may_change(self, maps: map_durable.MapBatch, entry: Entry, offset: int) -> bool:
        """Decide a change of a key; one that may not be made is answered."""
        try:
            reason = maps.decide(entry.channel, entry.op, offset)
        except BrokerError as refusal:
            self._fail([entry], refusal.code, refusal.message)
            return False
        if reason and not entry.answered:
            channel = entry.channel
            entry.refuse(encode(Suppressed(entry.op.request, channel.epoch, channel.top, reason)), reason)
        return not reason

    def committed(self, batch: list[Entry]) -> None:
        """The batch is committed: now it is the stream's, and everybody may hear of it."""
        now = asyncio.get_running_loop().time()
        results = []
        for entry in batch:
            channel, op = entry.channel, entry.op
            channel.accept(entry.offset, channel.epoch, entry.pub, now)
            map_changes.apply(channel, op, entry.offset, entry.time_ms, now)
            if op.version and channel.map is None:
                channel.version, channel.version_epoch = op.version, op.version_epoch
            if op.idempotency_key:
                channel.remember(op.idempotency_key, entry.offset, channel.epoch, now)
            results.append((entry, entry.offset, channel.epoch))
        self._acknowledge(results)

    async def _answer_known(self, batch: Sequence[Entry]) -> None:
        """Answer what of a batch, which waits again, is already in the database."""
        found = await self._store.find([e.op.channel for e in batch], [e.op.publication_id for e in batch])
        keyed = [e for e in batch if e.op.idempotency_key]
        keys = await self._store.find_keys([e.op.channel for e in keyed], [e.op.idempotency_key for e in keyed])
        results = []
        for entry in batch:
            op = entry.op
            offset = found.get((op.channel, op.publication_id))
            if offset is not None:
                results.append((entry, offset, entry.channel.epoch))
            elif op.idempotency_key and (op.channel, op.idempotency_key) in keys:
                results.append((entry, *keys[op.channel, op.idempotency_key]))
        answered = {id(entry) for entry, _, _ in results}
        self._queue = deque(entry for entry in self._queue if id(entry) not in answered)
        self._acknowledge(results)

    async def _resolve(self) -> None:
        """After an ambiguous result and our own new fence: what of the last batch is committed? (rule 9)"""
        fence, batch = self.fence, self._in_flight
        if fence is None:
            return
        if batch:
            found = await self._store.find([e.op.channel for e in batch], [e.op.publication_id for e in batch])
            committed = [e for e in batch if found.get((e.op.channel, e.op.publication_id)) == e.offset]
            self._in_flight = []
            if all(e.offset > e.channel.top for e in committed):
                self.committed(committed)
            self._requeue([e for e in batch if not e.answered])
        # A relay's turn may have been cut off too, so every head is compared.
        loaded = list(self._channels())
        for start in range(0, len(loaded), MAX_OPENED):
            await self.correct_heads(fence, loaded[start : start + MAX_OPENED])

    def _requeue(self, entries: list[Entry]) -> None:
        self._in_flight = []
        self._queue.extendleft(reversed(entries))

    # Answers ----------------------------------------------------------------------------------------------------------

    def _acknowledge(self, results: Iterable[tuple[Entry, int, str]]) -> None:
        per_stream: dict[int, tuple[ClientStream, list[tuple[int, int, str]]]] = {}
        for entry, offset, epoch in results:
            if not entry.answered and entry.stream is not None:
                per_stream.setdefault(id(entry.stream), (entry.stream, []))[1].append((entry.op.request, offset, epoch))
            entry.answered = True
        for stream, answers in per_stream.values():
            stream.push(encode(Acknowledged(answers)))

    def _fail(self, entries: Iterable[Entry], code: int = 100, message: str = "not committed in time") -> None:
        for entry in entries:
            if not entry.answered:
                entry.refuse(encode(Failed([entry.op.request], code, message)), message)

    def _depose(self, reason: Fenced) -> None:
        logger.warning("deposed", shard=self._shard, reason=str(reason))
        self.deposed = True
        self.fence = None
        self._fail([*self._in_flight, *self._queue], message="another incarnation owns the channel")
        self._in_flight = []
        self._queue.clear()
        self._maps.clears.clear()
        self._on_deposed()
