"""What only the shard itself shows; how clients see it is in test_client."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from actors.caches.actor import CacheShard
from actors.caches.wire import Done, Down, Fetch, Fill, Flush, Invalidate, Invalidated, Lease, Up, Value
from actors.links.frames import Accepted, Batch, Poll, Submit
from cluster.settings import Settings
from db.caches.service import InvalidationBatch, invalidate, read_since
from db.errors import DatabaseUnavailable
from db.session import Database

encode = msgspec.msgpack.encode


class Client:
    """Speaks the link's frames by hand."""

    def __init__(self, shard: CacheShard, boot: str) -> None:
        self.shard, self.boot = shard, boot
        self.incarnation, self.cursor, self.sequence = "", 0, 0

    async def poll(self) -> list[Down]:
        answer = await self.shard.poll(encode(Poll(self.boot, 1, self.incarnation, self.cursor)))
        batch = msgspec.msgpack.decode(answer, type=Batch[Down])
        self.incarnation, self.cursor = batch.incarnation, batch.cursor
        return batch.items

    async def heard(self) -> list[Down]:
        """The next items, however many polls come back empty before them."""
        while not (items := await self.poll()):
            pass
        return items

    async def send(self, *operations: Up) -> Accepted:
        self.sequence += 1
        submit = Submit(self.boot, 1, self.incarnation, self.sequence, list(operations))
        return msgspec.msgpack.decode(await self.shard.submit(encode(submit)), type=Accepted)


@pytest.fixture
async def shard(database_url: str) -> AsyncIterator[CacheShard]:
    shard = CacheShard(0, 1, Settings(database_url=SecretStr(database_url), redis_url=SecretStr("")))
    await shard.start()
    yield shard
    await shard.stop()


async def attached(shard: CacheShard, boot: str) -> Client:
    client = Client(shard, boot)
    assert await client.poll() == []
    return client


async def test_fetch_lease_fill_value(shard: CacheShard) -> None:
    one, two = await attached(shard, "one"), await attached(shard, "two")
    await one.send(Fetch(1, "k"))
    [lease] = await one.poll()
    assert isinstance(lease, Lease)
    await two.send(Fetch(9, "k"))
    await one.send(Fill(lease.token, "k", b"42", 5_000, ("t",)))
    assert await two.poll() == [Value(9, b"42", 5_000, ("t",))]


async def test_the_asker_hears_the_invalidation_before_its_acknowledgement(shard: CacheShard) -> None:
    one, two = await attached(shard, "one"), await attached(shard, "two")
    await one.send(Invalidate(3, ("k",), ("t",)))
    assert await one.poll() == [Invalidated(1, ("k",), ("t",)), Done(3, 1)]
    assert await two.poll() == [Invalidated(1, ("k",), ("t",))]


async def test_a_void_fill_is_not_given_to_anybody(shard: CacheShard) -> None:
    one = await attached(shard, "one")
    await one.send(Fetch(1, "k"))
    [lease] = await one.poll()
    assert isinstance(lease, Lease)
    await one.send(Invalidate(2, (), ("anything",)), Fill(lease.token, "k", b"stale", 5_000))
    await one.poll()
    await one.send(Fetch(3, "k"))
    [again] = await one.poll()
    assert isinstance(again, Lease)
    assert again.token != lease.token


async def test_nothing_that_commits_after_the_start_is_missed(database_url: str, database: Database) -> None:
    shard = CacheShard(0, 1, Settings(database_url=SecretStr(database_url), redis_url=SecretStr("")))
    await shard.start()
    client = await attached(shard, "one")
    async with database.transaction() as session:  # before the shard's first look at the log in the background
        await invalidate(session, tags=["t"])
    assert await client.heard() == [Invalidated(1, (), ("t",))]
    await shard.stop()


async def test_what_was_kept_while_postgres_could_not_be_read_is_forgotten(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable = True

    async def read(*arguments: Any) -> InvalidationBatch:
        if unreachable:
            raise DatabaseUnavailable
        return await read_since(*arguments)

    monkeypatch.setattr("actors.caches.actor.read_since", read)
    shard = CacheShard(0, 1, Settings(database_url=SecretStr(database_url), redis_url=SecretStr("")))
    await shard.start()
    client = await attached(shard, "one")
    await client.send(Fetch(1, "k"))
    [lease] = await client.poll()
    assert isinstance(lease, Lease)
    await client.send(Fill(lease.token, "k", b"42", 50_000, ()))
    unreachable = False
    assert await client.heard() == [Flush()]
    await client.send(Fetch(2, "k"))
    assert isinstance((await client.poll())[0], Lease)
    await shard.stop()
