"""The agent lives, runs inline jobs quickly, and fires schedules."""

import asyncio
import time

import pytest
import ray

from actors.agents import handle
from db.jobs.queue import enqueue
from db.jobs.service import get_job
from db.session import Database
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually


@pytest.fixture
async def database(stack: RunningStack) -> Database:
    return Database(stack.database_url, pool_size=2, max_overflow=0, application_name="mobula-test")


async def test_a_job_that_nobody_announced_is_found_and_run(stack: RunningStack, database: Database) -> None:
    """The test enqueues without waking anybody: polling alone must find it."""
    async with database.transaction() as session:
        job_id = await enqueue(session, "analytics.record", {"events": [{"event_type": "test"}]})
    began = time.monotonic()

    async def done() -> bool:
        async with database.transaction(read_only=True) as session:
            return (await get_job(session, job_id)).state == "succeeded"

    await eventually(done, 30.0)
    assert time.monotonic() - began < 20.0
    await database.dispose()


async def test_schedules_have_fired(stack: RunningStack, database: Database) -> None:
    async def fired() -> bool:
        async with database.transaction(read_only=True) as session:
            connection = await session.connection()
            rows = await connection.exec_driver_sql("SELECT DISTINCT schedule FROM jobs.cron_fires")
            return {"events.ensure_partitions", "dashboard.publish", "maintenance.prune"} <= {row[0] for row in rows}

    await eventually(fired, 60.0)
    await database.dispose()


async def test_ensuring_twice_is_the_same_agent(stack: RunningStack) -> None:
    stack.connect_ray()
    (node,) = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    first = await asyncio.to_thread(handle.ensure, node)
    second = await asyncio.to_thread(handle.get, node)
    assert first._actor_id == second._actor_id  # type: ignore[attr-defined]
