"""One process's cache: L1, and the way to the cache shards."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import orjson
import structlog

from actors.caches.contract import Tags
from actors.caches.store import BoundedStore
from actors.caches.wire import Done, Down, Fetch, Fill, GiveUp, Invalidate, Invalidated, Lease, Up, Value
from actors.links.frames import Batch
from actors.links.link import Link, LinkFull
from actors.links.placement import shard_of
from actors.links.requests import Asked, Requests
from actors.links.shards import ShardCall, link_to

L1_BYTES: Final = 32 * 1024 * 1024
L1_AGE_S: Final = 2.0
"""L1 answers only while its shard was heard from within this time (DESIGN §5, 13)."""

VALUE_LIMIT_BYTES: Final = 1024 * 1024
"""A larger value is handed to its caller and not kept."""

FETCH_LIMIT_S: Final = 12.0
"""Longer than a lease lasts: whoever waits for another's load gets its turn before giving up."""

INVALIDATE_LIMIT_S: Final = 1.0
OPERATION_BYTES: Final = 120

Load = Callable[[], Awaitable[Any]]

logger = structlog.get_logger(__name__)


class CacheUnreachable(Exception):
    """The shard does not answer: its caller loads by itself."""


class _ShardLink:
    """The L1 of one shard's keys, and what is under way to that shard."""

    def __init__(self, boot: str, shard: int, call: ShardCall, numbers: Iterator[int]) -> None:
        self.shard = shard
        self.store: BoundedStore[Any] = BoundedStore(L1_BYTES)
        self.applied = 0
        """Number of the last invalidation that this process has applied."""
        self.link: Link[Up, Down] = link_to(boot, shard, call, Batch[Down], self)
        self.fetches: Requests[Fetch] = _requests(self.link, numbers, FETCH_LIMIT_S)
        self.invalidations: Requests[Invalidate] = _requests(self.link, numbers, INVALIDATE_LIMIT_S)

    def lookup(self, key: str, now: float, at_least: str) -> Any:
        """The value in L1, if it may be used; else `_NOTHING`."""
        link = self.link
        if not link.attached or now - link.polled_at > L1_AGE_S or not self._reaches(at_least):
            return _NOTHING
        entry = self.store.get(key, now)
        return _NOTHING if entry is None else entry.value

    def send(self, operation: Up, size: int = OPERATION_BYTES) -> bool:
        """Queue an operation; False when the shard has not taken any for too long."""
        try:
            self.link.send(operation, size)
        except LinkFull:
            return False
        return True

    def _reaches(self, at_least: str) -> bool:
        for part in at_least.split(","):
            shard, _, rest = part.partition(":")
            if shard != str(self.shard):
                continue
            incarnation, _, sequence = rest.partition(":")
            # Another incarnation than ours: either could be the newer one, so the shard decides.
            if incarnation != self.link.incarnation[-8:] or not sequence.isdecimal() or int(sequence) > self.applied:
                return False
        return True

    def on_items(self, items: list[Down]) -> None:
        for item in items:
            if isinstance(item, Lease | Value):
                asked = self.fetches.asked.get(item.request)
                if asked is not None and not asked.future.done():
                    self._resolve(asked, item)
                elif isinstance(item, Lease):
                    # Whoever asked has gone. Another process may be waiting for this load.
                    self.send(GiveUp(item.token, item.key))
            elif isinstance(item, Invalidated):
                self.applied = item.sequence
                self.store.invalidate(item.keys, item.tags)
            elif isinstance(item, Done):
                self.invalidations.answer(item.request, f"{self.shard}:{self.link.incarnation[-8:]}:{item.sequence}")
            else:
                self.store.clear()

    def _resolve(self, asked: Asked[Fetch], item: Lease | Value) -> None:
        if isinstance(item, Value):
            # In the stream after every earlier invalidation, so it may be kept here and now.
            now = asyncio.get_running_loop().time()
            value = orjson.loads(item.value)
            self.store.put(
                asked.op.key, value, expires=now + item.ttl_ms / 1000, tags=item.tags, size=4 * len(item.value)
            )
        self.fetches.answer(asked.number, item)

    def on_attached(self, unsent: Sequence[Up]) -> None:
        """A new incarnation knows nothing of us: flush, and ask again what is still wanted."""
        self.store.clear()
        self.applied = 0
        for asked in list(self.fetches.asked.values()):
            self.send(asked.op)
        for operation in unsent:
            if isinstance(operation, Invalidate):
                self.send(operation)

    def on_expired(self, operations: Sequence[Up]) -> None:
        self.fetches.expire(operation.request for operation in operations if isinstance(operation, Fetch))

    def on_unsendable(self, operations: Sequence[Up]) -> None:
        """A key that cannot be encoded is loaded without the shard."""
        self.on_expired(operations)


_NOTHING: Final = object()


class Cache:
    """Implements `CacheClient`. `start()` before use, `stop()` at the end; works, slowly, without either."""

    def __init__(self, boot_id: str, *, shards: int, call: ShardCall) -> None:
        numbers = itertools.count(1)
        self._shards = [_ShardLink(boot_id, shard, call, numbers) for shard in range(shards)]
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def start(self) -> None:
        """Begin to listen to the shards."""
        for shard in self._shards:
            await shard.link.start()

    async def stop(self) -> None:
        """Stop listening; loads under way are cancelled."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for shard in self._shards:
            await shard.link.stop()

    async def get_or_load(self, key: str, load: Load, *, ttl_s: float, tags: Tags = (), at_least: str = "") -> Any:
        """See `CacheClient`."""
        shard = self._shards[shard_of(key, len(self._shards))]
        value = shard.lookup(key, asyncio.get_running_loop().time(), at_least)
        if value is not _NOTHING:
            return value
        # A running load may have begun before the writer's commit that `at_least` names, so it is not shared then.
        flight = f"{key}\0{at_least}"
        task = self._running.get(flight)
        if task is None:
            task = asyncio.create_task(self._find(shard, key, load, ttl_s, tags), name=f"cache-load-{key}")
            self._running[flight] = task
            task.add_done_callback(lambda _: self._running.pop(flight, None))
        # The first caller may go away; the load goes on for the others.
        return await asyncio.shield(task)

    async def invalidate(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> str:
        """See `CacheClient`."""
        waiting: list[tuple[_ShardLink, Asked[Invalidate]]] = []
        for shard in self._shards:
            own = tuple(key for key in keys if shard_of(key, len(self._shards)) == shard.shard)
            if not own and not tags:
                continue
            shard.store.invalidate(own, tags)
            with contextlib.suppress(CacheUnreachable):
                waiting.append((shard, shard.invalidations.ask(_invalidate(own, tuple(tags)))))
        if not waiting:
            return ""
        done, late = await asyncio.wait([asked.future for _, asked in waiting], timeout=INVALIDATE_LIMIT_S)
        for shard, asked in waiting:
            shard.invalidations.forget(asked.number)
        if late:
            logger.warning("cache shard did not acknowledge an invalidation", keys=list(keys), tags=list(tags))
        return ",".join(future.result() for future in done if future.exception() is None)

    async def _find(self, shard: _ShardLink, key: str, load: Load, ttl_s: float, tags: Tags) -> Any:
        answer = await self._fetch(shard, key)
        if isinstance(answer, Value):
            return orjson.loads(answer.value)
        if answer is None:
            return _as_cached(await load())[0]
        return await self._load(shard, key, answer.token, load, ttl_s, tags)

    async def _fetch(self, shard: _ShardLink, key: str) -> Lease | Value | None:
        """Ask the shard; None when it does not answer."""
        if not shard.link.attached or shard.link.suspect:
            return None
        try:
            asked = shard.fetches.ask(lambda number: Fetch(number, key))
        except CacheUnreachable:
            return None
        try:
            async with asyncio.timeout(FETCH_LIMIT_S):
                answer: Lease | Value = await asked.future
        except (TimeoutError, CacheUnreachable):
            return None
        finally:
            shard.fetches.forget(asked.number)
        return answer

    async def _load(self, shard: _ShardLink, key: str, token: int, load: Load, ttl_s: float, tags: Tags) -> Any:
        """Load under a lease, fill it in, and keep the value here if nothing became stale meanwhile."""
        before = (shard.link.incarnation, shard.applied)
        try:
            value, encoded = _as_cached(await load())
            made_from = tuple(tags(value) if callable(tags) else tags)
        except BaseException:
            shard.send(GiveUp(token, key))
            raise
        if len(encoded) > VALUE_LIMIT_BYTES:
            shard.send(GiveUp(token, key))
            return value
        ttl_ms = max(1, int(ttl_s * 1000))
        shard.send(Fill(token, key, encoded, ttl_ms, made_from), OPERATION_BYTES + len(encoded))
        if before == (shard.link.incarnation, shard.applied):
            # As far as we have heard. What we have not heard yet drops the value again when it comes.
            expires = asyncio.get_running_loop().time() + ttl_s
            shard.store.put(key, value, expires=expires, tags=made_from, size=4 * len(encoded))
        return value


def _as_cached(value: Any) -> tuple[Any, bytes]:
    """The value as everybody else will see it, and its JSON: no caller can tell whether it came from the cache."""
    encoded = orjson.dumps(value)
    return orjson.loads(encoded), encoded


def _invalidate(keys: tuple[str, ...], tags: tuple[str, ...]) -> Callable[[int], Invalidate]:
    return lambda number: Invalidate(number, keys, tags)


def _requests(link: "Link[Up, Down]", numbers: Iterator[int], within_s: float) -> Requests[Any]:
    return Requests(
        link.send, numbers, within_s=within_s, full=lambda: CacheUnreachable("too much waits"), late=CacheUnreachable
    )
