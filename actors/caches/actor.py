"""The cache shard."""

import asyncio
import sys
from typing import Final

import structlog

from actors.caches.flights import Flights, answer
from actors.caches.shared_tier import SharedTier, SharedValue
from actors.caches.store import BoundedStore
from actors.caches.wire import Done, Fetch, Fill, Flush, GiveUp, Invalidated, Up, Value, encode
from actors.links import incarnations
from actors.links.frames import Submit
from actors.links.placement import shard_of
from actors.links.stream import ClientStream, StreamServer
from cluster.background import Background
from cluster.settings import Settings
from db.caches.service import read_since
from db.errors import DomainError
from db.session import Database

MEMORY_BYTES: Final = 64 * 1024 * 1024

POLL_LIMIT_S: Final = 1.0
"""Half of the age up to which an L1 may answer without hearing from us (DESIGN §5, 13)."""

TICK_S: Final = 1.0
TAIL_EVERY_S: Final = 2.0
"""How late an invalidation takes effect when its shortcut is lost."""

SAVE_EVERY_S: Final = 30.0

FROM_NOW: Final = 2**63 - 1
"""Above every transaction id: reads no rows, only the horizon."""

ANYTHING: Final = "*"
"""The channel of invalidations in a client's stream: if one is dropped, the client flushes everything."""

logger = structlog.get_logger(__name__)


class CacheShard:
    """Own a part of the keys: one load per key in the whole cluster, and invalidations pushed to every L1.

    State:
        Hard: none; the invalidation rows in Postgres are the record of what is stale. Soft: values in memory and in
        Valkey, flights, and the streams of the processes that use the cache.
    Concurrency:
        Async, one event loop. Operations of a submit are applied in one turn; lookups in Valkey return in later turns
        and count only if their flight was not voided meanwhile.
    Failure:
        A client that gets no answer loads by itself. Without Valkey everything works, with less memory; without
        Postgres invalidations still arrive by the direct way.
    Restart:
        A new incarnation: empty memory, every L1 is flushed, running loads count for nothing. Valkey's entries are used
        again once all invalidations since they were last known good are applied, else a new generation begins.
    """

    def __init__(self, shard: int, shards: int, settings: Settings) -> None:
        self.incarnation = incarnations.mint()
        self._shard, self._shards = shard, shards
        self._database = Database(
            settings.asyncpg_dsn, pool_size=1, max_overflow=0, application_name=f"mobula cache shard {shard}"
        )
        url = settings.redis_url.get_secret_value()
        self._tier = SharedTier(url, f"{shard}/{shards}") if url else None
        self._store: BoundedStore[bytes] = BoundedStore(MEMORY_BYTES)
        self._streams: StreamServer[Up] = StreamServer(
            self.incarnation,
            Submit[Up],
            apply=self._apply,
            encode_gap=lambda _: encode(Flush()),
            poll_limit_s=POLL_LIMIT_S,
        )
        self._flights = Flights(lambda stream: self._streams.clients.get(stream.boot) is stream)
        self._sequence = 0
        self._horizon = FROM_NOW
        self._seen: set[int] = set()
        self._lookups = Background()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to answer, to follow the invalidation log and to keep time."""
        if self._tier is not None:
            await self._tier.start()
            if self._tier.horizon is not None:
                self._horizon = self._tier.horizon
        # Before the first value is kept: whatever commits from here on is in the part of the log that we follow.
        await self._read_log()
        self._tasks = [
            asyncio.create_task(self._tick(), name="cache-tick"),
            asyncio.create_task(self._follow_log(), name="cache-log"),
        ]

    async def stop(self) -> None:
        """End everything; waiting polls are answered."""
        self._streams.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._lookups.stop(), return_exceptions=True)
        if self._tier is not None:
            await self._tier.stop()
        await self._database.dispose()

    async def poll(self, payload: bytes) -> bytes:
        """See `actors.links`."""
        return await self._streams.poll(payload)

    async def submit(self, payload: bytes) -> bytes:
        """See `actors.links`."""
        return await self._streams.submit(payload)

    def _apply(self, stream: ClientStream, operations: list[Up]) -> None:
        now = asyncio.get_running_loop().time()
        for operation in operations:
            if isinstance(operation, Fetch):
                self._fetch(stream, operation, now)
            elif isinstance(operation, Fill):
                self._fill(operation, now)
            elif isinstance(operation, GiveUp):
                self._flights.fail(operation.key, operation.token, now)
            else:
                self._invalidate(operation.keys, operation.tags, now)
                # After the invalidation in the same stream: who reads this has read that.
                stream.push(encode(Done(operation.request, self._sequence)))

    def _fetch(self, stream: ClientStream, ask: Fetch, now: float) -> None:
        entry = self._store.get(ask.key, now)
        if entry is not None:
            ttl_ms = int((entry.expires - now) * 1000)
            stream.push(encode(Value(ask.request, entry.value, ttl_ms, entry.tags)))
        elif self._flights.join(ask.key, stream, ask.request):
            if self._tier is not None and self._tier.usable:
                self._lookups.spawn(self._look_up(ask.key))
            else:
                self._flights.lease(ask.key, now)

    async def _look_up(self, key: str) -> None:
        flight = self._flights.find(key)
        found = await self._tier.get(key) if self._tier is not None else None
        if flight is None or self._flights.find(key) is not flight:
            return
        now = asyncio.get_running_loop().time()
        if found is None:
            self._flights.lease(key, now)
            return
        self._flights.land(key, flight.token)
        self._keep(key, found, now)
        answer(flight, found.value, found.ttl_ms, found.tags)

    def _fill(self, fill: Fill, now: float) -> None:
        flight = self._flights.land(fill.key, fill.token)
        if flight is None:
            return
        value = SharedValue(fill.value, fill.ttl_ms, fill.tags)
        self._keep(fill.key, value, now)
        if self._tier is not None:
            self._tier.put(fill.key, value)
        answer(flight, fill.value, fill.ttl_ms, fill.tags)

    def _keep(self, key: str, value: SharedValue, now: float) -> None:
        expires = now + value.ttl_ms / 1000
        self._store.put(key, value.value, expires=expires, tags=value.tags, size=sys.getsizeof(value.value))

    def _invalidate(self, keys: tuple[str, ...], tags: tuple[str, ...], now: float) -> None:
        self._sequence += 1
        self._store.invalidate(keys, tags)
        if self._tier is not None:
            self._tier.invalidate(keys, tags)
        if tags:
            self._flights.void_all(now)
        else:
            self._flights.void(keys, now)
        item = encode(Invalidated(self._sequence, keys, tags))
        for stream in self._streams.clients.values():
            stream.push(item, ANYTHING)

    def _forget_everything(self, now: float) -> None:
        self._store.clear()
        if self._tier is not None:
            self._tier.renew()
        self._flights.void_all(now)
        for stream in self._streams.clients.values():
            stream.push(encode(Flush()))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = asyncio.get_running_loop().time()
            self._streams.expire(now)
            self._flights.expire(now)

    async def _follow_log(self) -> None:
        saved = float("-inf")
        loop = asyncio.get_running_loop()
        while True:
            try:
                applied = await self._read_log()
                if self._tier is not None and applied is not None and (applied or loop.time() - saved > SAVE_EVERY_S):
                    self._tier.save(self._horizon)
                    saved = loop.time()
            except Exception:
                # Without this task nothing that another process wrote would ever become stale here.
                logger.exception("invalidation log cannot be followed")
            await asyncio.sleep(TAIL_EVERY_S)

    async def _read_log(self) -> int | None:
        """Apply what the log has that we have not; returns how many rows, None when Postgres did not answer."""
        try:
            async with self._database.transaction(read_only=True) as session:
                batch = await read_since(session, self._horizon)
        except (DomainError, OSError) as reason:
            logger.info("invalidation log not readable", reason=repr(reason))
            return None
        if self._horizon == FROM_NOW and self._tasks:
            # Postgres was not there when we started: what was kept meanwhile may have become stale unseen.
            self._forget_everything(asyncio.get_running_loop().time())
        self._horizon = batch.horizon
        fresh = [item for item in batch.items if item.id not in self._seen]
        self._seen = {item.id for item in batch.items}
        now = asyncio.get_running_loop().time()
        for item in fresh:
            keys = tuple(key for key in item.keys if shard_of(key, self._shards) == self._shard)
            if keys or item.tags:
                self._invalidate(keys, item.tags, now)
        return len(fresh)
