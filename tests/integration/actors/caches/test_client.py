"""Two processes' caches on one shard, with Postgres and Valkey behind it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from actors.caches.actor import CacheShard
from actors.caches.client import Cache
from cluster.settings import Settings
from db.caches import invalidate
from db.session import Database
from tests.fixtures.waiting import eventually


class Cluster:
    """A shard that can be replaced or made unreachable, and clients of it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.shard: CacheShard | None = None
        self.reachable = True
        self.clients: list[Cache] = []

    async def start_shard(self) -> None:
        if self.shard is not None:
            await self.shard.stop()
        self.shard = CacheShard(0, 1, self.settings)
        await self.shard.start()

    async def client(self, name: str) -> Cache:
        cache = Cache(name, shards=1, call=self.call)
        await cache.start()
        await cache._shards[0].link.wait_attached()
        self.clients.append(cache)
        return cache

    async def call(self, _shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
        if not self.reachable or self.shard is None:
            raise ConnectionError("no shard")
        async with asyncio.timeout(timeout_s):
            answer: bytes = await getattr(self.shard, method)(payload)
        return answer


@pytest.fixture
async def cluster(database_url: str, redis_url: str) -> AsyncIterator[Cluster]:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    cluster = Cluster(Settings(database_url=SecretStr(database_url), redis_url=SecretStr(redis_url)))
    await cluster.start_shard()
    yield cluster
    for client in cluster.clients:
        await client.stop()
    if cluster.shard is not None:
        await cluster.shard.stop()


class Source:
    """Something to load from: counts, can be held back, and changes."""

    def __init__(self, value: Any = 1) -> None:
        self.value = value
        self.loads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def load(self) -> Any:
        self.loads += 1
        value = self.value
        await self.gate.wait()
        return value


async def test_fifty_callers_in_two_processes_make_one_load(cluster: Cluster) -> None:
    one, two = await cluster.client("one"), await cluster.client("two")
    source = Source({"items": [1, 2]})
    source.gate.clear()
    calls = [asyncio.create_task((one if i % 2 else two).get_or_load("k", source.load, ttl_s=60)) for i in range(50)]
    await eventually(lambda: source.loads == 1)
    source.gate.set()
    assert await asyncio.gather(*calls) == [{"items": [1, 2]}] * 50
    assert source.loads == 1


async def test_every_caller_gets_what_json_can_say(cluster: Cluster) -> None:
    one, two = await cluster.client("one"), await cluster.client("two")
    source = Source({"pair": (1, 2)})
    assert await one.get_or_load("k", source.load, ttl_s=60) == {"pair": [1, 2]}
    assert await two.get_or_load("k", source.load, ttl_s=60) == {"pair": [1, 2]}
    assert source.loads == 1


async def test_an_invalidation_reaches_the_other_process(cluster: Cluster) -> None:
    one, two = await cluster.client("one"), await cluster.client("two")
    source = Source("old")

    async def read(cache: Cache, at_least: str = "") -> Any:
        return await cache.get_or_load("k", source.load, ttl_s=60, tags=["products"], at_least=at_least)

    assert [await read(one), await read(two)] == ["old", "old"]
    source.value = "new"
    version = await one.invalidate(tags=["products"])
    assert version
    assert await read(one) == "new"
    assert await read(two, at_least=version) == "new"

    async def arrived() -> bool:
        return bool(await read(two) == "new")

    await eventually(arrived)
    assert source.loads == 2


async def test_tags_may_come_from_what_was_loaded(cluster: Cluster) -> None:
    """A list is made from the things in it, which nobody knows before; other processes void it all the same."""
    one, two = await cluster.client("one"), await cluster.client("two")
    stock = {"lamp": 3, "chair": 5}

    async def load() -> dict[str, int]:
        return dict(stock)

    async def read(cache: Cache) -> Any:
        return await cache.get_or_load("list", load, ttl_s=60, tags=lambda found: [f"item:{name}" for name in found])

    assert await read(one) == await read(two) == {"lamp": 3, "chair": 5}
    stock["lamp"] = 2
    await one.invalidate(tags=["item:table"])
    assert await read(two) == {"lamp": 3, "chair": 5}, "it is not made from that"
    version = await one.invalidate(tags=["item:lamp"])
    found = await two.get_or_load("list", load, ttl_s=60, tags=lambda found: list(found), at_least=version)
    assert found == {"lamp": 2, "chair": 5}


async def test_a_load_that_began_before_the_invalidation_is_not_kept(cluster: Cluster) -> None:
    one, two = await cluster.client("one"), await cluster.client("two")
    source = Source("old")
    source.gate.clear()
    early = asyncio.create_task(one.get_or_load("k", source.load, ttl_s=60))
    await eventually(lambda: source.loads == 1)
    late = asyncio.create_task(two.get_or_load("k", source.load, ttl_s=60))
    source.value = "new"
    await two.invalidate(keys=["k"])
    await eventually(lambda: source.loads == 2)
    source.gate.set()
    assert await late == "new"
    assert await early == "old"
    assert await one.get_or_load("k", source.load, ttl_s=60) == "new"
    assert await two.get_or_load("k", source.load, ttl_s=60) == "new"


async def test_rows_invalidate_when_the_shortcut_is_lost(cluster: Cluster, database: Database) -> None:
    one = await cluster.client("one")
    source = Source("old")
    assert await one.get_or_load("k", source.load, ttl_s=60, tags=["t"]) == "old"
    source.value = "new"
    async with database.transaction() as session:
        await invalidate(session, tags=["t"])

    async def arrived() -> bool:
        return bool(await one.get_or_load("k", source.load, ttl_s=60, tags=["t"]) == "new")

    await eventually(arrived, timeout_s=10)


async def test_a_restarted_shard_flushes_everybody_and_reads_valkey_again(cluster: Cluster) -> None:
    one = await cluster.client("one")
    source = Source("value")
    assert await one.get_or_load("k", source.load, ttl_s=60) == "value"
    incarnation = one._shards[0].link.incarnation
    assert cluster.shard is not None
    assert cluster.shard._tier is not None
    cluster.shard._tier.save(cluster.shard._horizon)
    assert await cluster.shard._tier.get("k") is not None
    await cluster.start_shard()
    await eventually(lambda: one._shards[0].link.incarnation not in ("", incarnation))
    assert len(one._shards[0].store) == 0
    assert await one.get_or_load("k", source.load, ttl_s=60) == "value"
    assert source.loads == 1


async def test_without_a_shard_callers_load_by_themselves_and_nothing_is_kept(cluster: Cluster) -> None:
    one = await cluster.client("one")
    source = Source("value")
    assert await one.get_or_load("k", source.load, ttl_s=60) == "value"
    cluster.reachable = False
    await eventually(lambda: one._shards[0].link.suspect, timeout_s=10)

    async def loads_each_time() -> bool:
        before = source.loads
        await one.get_or_load("k", source.load, ttl_s=60)
        return source.loads == before + 1

    await eventually(loads_each_time, timeout_s=10)
    assert await one.invalidate(keys=["k"]) == ""


async def test_an_error_of_the_load_is_the_callers_and_the_next_may_try(cluster: Cluster) -> None:
    one, two = await cluster.client("one"), await cluster.client("two")

    async def broken() -> Any:
        raise LookupError("no such product")

    with pytest.raises(LookupError):
        await one.get_or_load("k", broken, ttl_s=60)
    assert await two.get_or_load("k", Source(5).load, ttl_s=60) == 5


async def test_a_caller_that_goes_away_does_not_end_the_load_of_others(cluster: Cluster) -> None:
    one = await cluster.client("one")
    source = Source("value")
    source.gate.clear()
    first = asyncio.create_task(one.get_or_load("k", source.load, ttl_s=60))
    await eventually(lambda: source.loads == 1)
    second: Awaitable[Any] = asyncio.create_task(one.get_or_load("k", source.load, ttl_s=60))
    first.cancel()
    source.gate.set()
    assert await second == "value"
    assert source.loads == 1


async def test_a_huge_value_is_handed_over_and_not_kept(cluster: Cluster) -> None:
    one = await cluster.client("one")
    source = Source("x" * (1024 * 1024 + 1))
    load: Callable[[], Awaitable[Any]] = source.load
    for _ in range(2):
        assert len(await one.get_or_load("k", load, ttl_s=60)) == 1024 * 1024 + 1
    assert source.loads == 2
