import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from actors.caches.shared_tier import SharedTier, SharedValue
from cluster.services.ports import free_port
from cluster.services.valkey import EmbeddedValkey
from tests.fixtures.waiting import eventually


@contextlib.asynccontextmanager
async def tier_at(url: str, shard: str = "0/1") -> AsyncIterator[SharedTier]:
    tier = SharedTier(url, shard)
    await tier.start()
    try:
        yield tier
    finally:
        await tier.stop()


@pytest.fixture
async def clean_url(redis_url: str) -> str:
    async with Redis.from_url(redis_url) as redis:
        await redis.flushdb()
    return redis_url


VALUE = SharedValue(b'{"a":1}', 60_000, ("products",))


async def test_values_keep_their_lifetime_and_tags(clean_url: str) -> None:
    async with tier_at(clean_url) as tier:
        tier.put("k", VALUE)
        found = await tier.get("k")
        assert found is not None
        assert (found.value, found.tags) == (VALUE.value, VALUE.tags)
        assert 0 < found.ttl_ms <= 60_000
        assert await tier.get("other") is None


async def test_a_value_with_tags_is_written_in_two_round_trips(clean_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tier_at(clean_url) as tier:
        pool, trips = tier._redis.connection_pool, []
        connect = pool.get_connection

        async def count(*args: Any, **options: Any) -> Any:
            trips.append(args)
            return await connect(*args, **options)

        monkeypatch.setattr(pool, "get_connection", count)
        tier.put("k", VALUE)
        assert await tier.get("k") is not None
        assert len(trips) == 4, "versions and value written, value and versions read"


async def test_keys_and_tags_are_forgotten_in_order(clean_url: str) -> None:
    async with tier_at(clean_url) as tier:
        tier.put("by-key", VALUE)
        tier.put("by-tag", VALUE)
        tier.invalidate(["by-key"], [])
        assert await tier.get("by-key") is None
        assert await tier.get("by-tag") is not None
        tier.invalidate([], ["products"])
        assert await tier.get("by-tag") is None
        tier.put("by-tag", VALUE)
        assert await tier.get("by-tag") is not None


async def test_a_generation_is_continued_only_where_its_horizon_is_known(clean_url: str) -> None:
    async with tier_at(clean_url) as tier:
        tier.put("k", VALUE)
        tier.save(4711)
        assert await tier.get("k") is not None
    async with tier_at(clean_url) as tier:
        assert tier.horizon == 4711
        assert await tier.get("k") is not None
    async with tier_at(clean_url, shard="1/2") as tier:
        assert tier.horizon is None
        assert await tier.get("k") is None


async def test_a_new_generation_knows_nothing_of_the_last_one(clean_url: str) -> None:
    async with tier_at(clean_url) as tier:
        tier.put("k", VALUE)
        tier.renew()
        assert await tier.get("k") is None
        tier.put("k", VALUE)
        assert await tier.get("k") is not None


async def test_an_outage_makes_everything_before_it_unreadable(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey") / "data", free_port(), password="secret")
    await asyncio.to_thread(server.start)
    try:
        async with tier_at(server.dsn) as tier:
            tier.put("k", VALUE)
            tier.save(1)
            assert await tier.get("k") is not None
            await asyncio.to_thread(server.stop)
            tier.invalidate(["k"], [])
            assert await tier.get("k") is None
            assert not tier.usable
            await asyncio.to_thread(server.start)
            await eventually(lambda: tier.usable, timeout_s=20)
            assert await tier.get("k") is None
            tier.put("k", VALUE)
            assert await tier.get("k") is not None
    finally:
        await asyncio.to_thread(server.stop)


async def test_poison_in_valkey_is_not_decoded_into_anything(clean_url: str) -> None:
    async with tier_at(clean_url) as tier:
        tier.put("k", VALUE)
        assert await tier.get("k") is not None
        async with Redis.from_url(clean_url) as redis:
            [name] = [key async for key in redis.scan_iter("mobula:cache:*:k")]
            await redis.set(name, b"\x80\x04\x95cos\nsystem\n", px=10_000)
        assert await tier.get("k") is None


async def test_a_tag_that_valkey_evicted_brings_nothing_old_back(clean_url: str) -> None:
    async with tier_at(clean_url) as tier, Redis.from_url(clean_url) as redis:

        async def evict_tags() -> None:
            names = [key async for key in redis.scan_iter("mobula:cache:tag:*")]
            assert names
            await redis.delete(*names)

        tier.put("k", VALUE)
        assert await tier.get("k") is not None
        await evict_tags()
        assert await tier.get("k") is None, "whether it was invalidated meanwhile, nobody can say"
        tier.put("k", VALUE)
        tier.invalidate([], ["products"])
        assert await tier.get("k") is None
        await evict_tags()
        assert await tier.get("k") is None
        # As often as before: a counter would be where it was when the value was stored.
        tier.put("other", VALUE)
        tier.invalidate([], ["products"])
        assert [await tier.get(key) for key in ("k", "other")] == [None, None]
