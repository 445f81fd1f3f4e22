"""A schedule fires once however many try."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import text

from db.jobs import cron
from db.jobs.queue import NewJob
from db.session import Database


async def test_many_agents_one_job(database: Database) -> None:
    at = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)

    async def agent() -> UUID | None:
        async with database.transaction() as session:
            return await cron.fire(session, "nightly", at, NewJob("k", {"x": 1}, queue="maintenance"))

    fired = [job_id for job_id in await asyncio.gather(*(agent() for _ in range(10))) if job_id is not None]
    assert len(fired) == 1
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.jobs")) == 1
        assert await session.scalar(text("SELECT job_id FROM jobs.cron_fires")) == fired[0]


async def test_the_next_time_fires_again(database: Database) -> None:
    async with database.transaction() as session:
        first = await cron.fire(session, "s", datetime(2026, 1, 1, tzinfo=UTC), NewJob("k"))
        second = await cron.fire(session, "s", datetime(2026, 1, 2, tzinfo=UTC), NewJob("k"))
    assert first is not None
    assert second not in (None, first)


async def test_a_run_that_is_not_over_is_not_joined_by_another(database: Database) -> None:
    job = NewJob("k", unique_key="cron:s")
    async with database.transaction() as session:
        first = await cron.fire(session, "s", datetime(2026, 1, 1, tzinfo=UTC), job)
        second = await cron.fire(session, "s", datetime(2026, 1, 2, tzinfo=UTC), job)
        assert await session.scalar(text("SELECT count(*) FROM jobs.jobs")) == 1
    assert first == second
