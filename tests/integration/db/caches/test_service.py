"""Invalidations are read completely, whatever order their transactions commit in."""

import asyncio

from sqlalchemy import text

from db.caches import invalidate
from db.caches.service import prune, read_since
from db.effects import CacheInvalidated
from db.session import Database, recorded_effects


async def read(database: Database, horizon: int) -> tuple[int, list[str]]:
    async with database.transaction() as session:
        batch = await read_since(session, horizon)
        return batch.horizon, [item.keys[0] for item in batch.items]


async def test_a_row_and_an_effect_and_nothing_for_nothing(database: Database) -> None:
    async with database.transaction() as session:
        await invalidate(session)
        assert recorded_effects(session) == []
        await invalidate(session, keys=["k"], tags=["t"])
        assert recorded_effects(session) == [CacheInvalidated(keys=("k",), tags=("t",))]
    async with database.transaction() as session:
        (item,) = (await read_since(session, 0)).items
    assert (item.keys, item.tags) == (("k",), ("t",))


async def test_a_transaction_that_commits_late_is_not_missed(database: Database) -> None:
    """Its row has the smaller id, and it commits after a reader has seen the larger one."""
    written, release = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with database.transaction() as session:
            await invalidate(session, keys=["slow"])
            written.set()
            await release.wait()

    slow_one = asyncio.create_task(slow())
    await written.wait()
    async with database.transaction() as session:
        await invalidate(session, keys=["quick"])
    horizon, keys = await read(database, 0)
    assert keys == ["quick"]
    release.set()
    await slow_one
    later, keys = await read(database, horizon)
    assert "slow" in keys
    async with database.transaction() as session:
        await invalidate(session, keys=["next"])
    _, keys = await read(database, later)
    assert "next" in keys
    assert "slow" not in keys


async def test_an_empty_log_has_a_horizon_too(database: Database) -> None:
    horizon, keys = await read(database, 0)
    assert horizon > 0
    assert keys == []


async def test_old_rows_go(database: Database) -> None:
    async with database.transaction() as session:
        await invalidate(session, keys=["old"])
        await session.execute(text("UPDATE app.cache_invalidations SET created_at = now() - interval '2 hours'"))
    async with database.transaction() as session:
        await invalidate(session, keys=["new"])
    async with database.transaction() as session:
        assert await prune(session, older_than_s=3600) == 1
