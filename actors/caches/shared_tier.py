"""The shared tier in Valkey: larger than a shard's memory, and it outlives the shard.

Only the owning shard speaks to it, one operation after another, so a value can never overtake the invalidation that
came before it. Entries belong to a generation: when invalidations may have been missed (Valkey was away, or too long a
time has passed), a new generation begins and the old entries are never read again; their lifetimes remove them.

Values are msgpack [value, tags, versions of the tags]: an entry counts only while its tags have the same versions.
Versions are random: Valkey may evict one at any time, and what is counted anew would meet an old version again. An
entry whose tag has no version does not count.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

TTL_LIMIT_MS: Final = 3_600_000
"""No entry lives longer, so that tag versions need to be remembered for `TAG_TTL_S` only."""

TAG_TTL_S: Final = 24 * 3600
STATE_AGE_S: Final = 600.0
"""A generation is continued when its horizon is not older: invalidation rows are kept for longer than that."""

RETRY_S: Final = 2.0
QUEUE_LIMIT: Final = 1_000
"""Puts beyond this many waiting operations are skipped: a slow Valkey must not fill the shard's memory."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SharedValue:
    """What the tier holds for a key."""

    value: bytes
    ttl_ms: int
    tags: tuple[str, ...]


class _Stored(msgspec.Struct, array_like=True):
    value: bytes
    tags: list[str]
    versions: list[int]


class SharedTier:
    """One shard's part of Valkey. `start()`, then use; never raises for Valkey's reasons."""

    def __init__(self, url: str, shard: str) -> None:
        self.usable = False
        """Whether lookups make sense: connected, and no invalidation was missed."""
        self.horizon: int | None = None
        """Where the invalidation log was read to when the continued generation was last saved."""
        self._redis: Redis = Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
        self._state_key = f"mobula:cache:state:{shard}"
        self._generation = ""
        self._operations: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and continue the last generation if nothing can have been missed."""
        await self._connect(continue_generation=True)
        self._worker = asyncio.create_task(self._work(), name="cache-shared-tier")

    async def stop(self) -> None:
        """Finish nothing, close."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()

    async def get(self, key: str) -> SharedValue | None:
        """The value, after everything that was asked before. None when there is none, or no Valkey."""
        if not self.usable:
            return None
        found: asyncio.Future[SharedValue | None] = asyncio.get_running_loop().create_future()

        async def look() -> None:
            value = None
            try:
                value = await self._read(key)
            finally:
                if not found.done():
                    found.set_result(value)

        self._operations.put_nowait(look)
        return await found

    def put(self, key: str, value: SharedValue) -> None:
        """Keep a value, some time soon."""
        if self.usable and self._operations.qsize() < QUEUE_LIMIT:
            self._operations.put_nowait(lambda: self._write(key, value))

    def invalidate(self, keys: Sequence[str], tags: Sequence[str]) -> None:
        """Forget keys and everything made from tags, before anything that is asked later."""
        if self._generation:
            self._operations.put_nowait(lambda: self._forget(keys, tags))

    def renew(self) -> None:
        """Begin a new generation, before anything that is asked later: nothing that is stored counts any more."""
        self._operations.put_nowait(self._renew)

    def save(self, horizon: int) -> None:
        """Note that all invalidations below `horizon` have been applied."""
        self._operations.put_nowait(lambda: self._save(horizon))

    async def _work(self) -> None:
        task = asyncio.current_task()
        # On Python 3.11 `asyncio.wait_for`, by which redis-py sends, loses a cancellation that meets its end: the
        # operation returns as if nothing had been asked, and this loop would go on under a `stop()` that waits for it.
        while task is None or not task.cancelling():
            try:
                async with asyncio.timeout(RETRY_S):
                    operation = await self._operations.get()
            except TimeoutError:
                if not self.usable:
                    await self._connect(continue_generation=False)
                continue
            try:
                await operation()
            except (RedisError, OSError, TimeoutError, msgspec.DecodeError, msgspec.ValidationError) as reason:
                if self.usable:
                    logger.warning("shared cache tier lost", reason=repr(reason))
                # It may have been an invalidation: nothing that is stored counts any more.
                self.usable = False
                self._generation = ""

    async def _connect(self, *, continue_generation: bool) -> None:
        try:
            raw = await self._redis.hgetall(self._state_key)
            state = {_text(name): _text(value) for name, value in raw.items()}
            age = time.time() - float(state.get("saved", "0"))
            if continue_generation and state.get("generation") and age < STATE_AGE_S:
                self._generation = state["generation"]
                self.horizon = int(state["horizon"])
            else:
                self._generation = secrets.token_hex(6)
                self.horizon = None
            self.usable = True
            logger.info("shared cache tier ready", generation=self._generation, continued=self.horizon is not None)
        except (RedisError, OSError, TimeoutError, ValueError, KeyError) as reason:
            logger.info("shared cache tier not reachable", reason=repr(reason))

    async def _read(self, key: str) -> SharedValue | None:
        if not self.usable:
            return None
        name = self._name(key)
        pipe = self._redis.pipeline(transaction=False)
        pipe.get(name)
        pipe.pttl(name)
        raw, ttl_ms = await pipe.execute()
        if raw is None or ttl_ms <= 0:
            return None
        stored = msgspec.msgpack.decode(raw, type=_Stored)
        if await self._versions(stored.tags) != stored.versions:
            return None
        return SharedValue(stored.value, ttl_ms, tuple(stored.tags))

    async def _write(self, key: str, value: SharedValue) -> None:
        if not self.usable:
            return
        versions = await self._ensure_versions(value.tags)
        if None in versions:
            return  # evicted again already
        stored = _Stored(value.value, list(value.tags), [version for version in versions if version is not None])
        await self._redis.set(
            self._name(key), msgspec.msgpack.encode(stored), px=max(1, min(value.ttl_ms, TTL_LIMIT_MS))
        )

    async def _forget(self, keys: Sequence[str], tags: Sequence[str]) -> None:
        if not self._generation:
            return
        pipe = self._redis.pipeline(transaction=False)
        for key in keys:
            pipe.delete(self._name(key))
        for tag in tags:
            pipe.set(self._tag(tag), _new_version(), ex=TAG_TTL_S)
        await pipe.execute()

    async def _renew(self) -> None:
        if self.usable:
            self._generation = secrets.token_hex(6)

    async def _save(self, horizon: int) -> None:
        if self.usable:
            state: dict[Any, Any] = {"generation": self._generation, "horizon": horizon, "saved": time.time()}
            await self._redis.hset(self._state_key, mapping=state)

    async def _versions(self, tags: Sequence[str]) -> list[int | None]:
        if not tags:
            return []
        return _parsed(await self._redis.mget([self._tag(tag) for tag in tags]))

    async def _ensure_versions(self, tags: Sequence[str]) -> list[int | None]:
        if not tags:
            return []
        names = [self._tag(tag) for tag in tags]
        pipe = self._redis.pipeline(transaction=False)
        for name in names:
            pipe.set(name, _new_version(), nx=True, ex=TAG_TTL_S)
            pipe.expire(name, TAG_TTL_S)  # longer than what is made from it now
        pipe.mget(names)
        return _parsed((await pipe.execute())[-1])

    def _name(self, key: str) -> str:
        return f"mobula:cache:{self._generation}:{key}"

    def _tag(self, tag: str) -> str:
        return f"mobula:cache:tag:{self._generation}:{tag}"


def _parsed(versions: Iterable[bytes | str | None]) -> list[int | None]:
    return [None if raw is None else int(raw) for raw in versions]


def _new_version() -> int:
    return secrets.randbits(62)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
