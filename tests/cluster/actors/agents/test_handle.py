"""The agent lives, runs inline jobs quickly, and fires schedules."""

import asyncio
import sys
import time

import pytest

from cluster.settings import ROOT
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


ENSURE_TWICE = """
import ray
from actors.agents import handle
from cluster.deploy import connect
from cluster.settings import get_settings

connect(get_settings())
(node,) = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
ids = {handle.ensure(node)._actor_id, handle.ensure(node)._actor_id, handle.get(node)._actor_id}
assert len(ids) == 1, ids
print(ray.get(handle.get(node).describe.remote(), timeout=30) is not None)
"""
"""A driver of its own: Ray reads its environment when it is imported, and this process has imported it."""


async def test_ensuring_twice_is_the_same_agent(stack: RunningStack) -> None:
    driver = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ENSURE_TWICE, cwd=ROOT, env=stack.env, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await asyncio.wait_for(driver.communicate(), 120.0)
    assert (driver.returncode, answer.strip()) == (0, b"True")
