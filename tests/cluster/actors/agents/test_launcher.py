"""Jobs on a real cluster: killed in the middle, cancelled, and finished all the same."""

import asyncio
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import psutil
import pyarrow.parquet as pq
import pytest
import ray

from actors.agents import handle
from actors.jobs.leases import LEASE_S
from db.exports import service, storage
from db.exports.models import Export
from db.jobs.service import JobView, get_job
from db.session import Database
from tests.factories.auth import make_user
from tests.fixtures.exports import INSERT_ORDERS
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

ORDERS = 400_000
"""Enough for an export of several seconds, so that there is a middle to be killed in."""

LIMIT_S = 90.0


@pytest.fixture(scope="module")
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    opened = Database(stack.database_url, pool_size=2, max_overflow=2, application_name="mobula-test")
    yield opened
    await opened.dispose()


@pytest.fixture(scope="module")
async def user_id(stack: RunningStack, database: Database) -> AsyncIterator[UUID]:
    """Somebody with so many orders that exporting them takes a while."""
    async with database.transaction() as session:
        made = (await make_user(session)).id
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute(INSERT_ORDERS, made, ORDERS, timeout=LIMIT_S)
    yield made
    await connection.execute("DELETE FROM app.orders WHERE user_id = $1", made, timeout=LIMIT_S)
    await connection.close()


async def request(database: Database, user_id: UUID) -> Export:
    async with database.transaction() as session:
        return await service.request_export(session, user_id=user_id, dataset="orders", format="parquet")


async def job_of(database: Database, export: Export) -> JobView:
    assert export.job_id is not None
    async with database.transaction(read_only=True) as session:
        return await get_job(session, export.job_id)


async def state_of(database: Database, export: Export) -> str:
    async with database.transaction(read_only=True) as session:
        return (await service.get_export(session, export.id)).state


async def running(stack: RunningStack) -> list[dict[str, Any]]:
    """What the node's agent runs now."""
    stack.connect_ray()
    (node,) = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    agent = await asyncio.to_thread(handle.get, node)
    views: list[dict[str, Any]] = msgspec.msgpack.decode(await agent.describe.remote())
    return views


async def worker_of(stack: RunningStack, export: Export) -> int | None:
    """The pid of the worker that writes this export, once it has written something."""
    data = storage.directory(stack.settings, export.id) / "data"
    for view in await running(stack):
        if view["job_id"] == str(export.job_id) and view["pid"] and any(p.stat().st_size for p in data.glob("*")):
            return int(view["pid"])
    return None


def check_files(stack: RunningStack, export: Export) -> dict[str, Any]:
    directory = storage.directory(stack.settings, export.id)
    manifest: dict[str, Any] = json.loads((directory / storage.MANIFEST).read_text())
    names = sorted(file["name"] for file in manifest["files"])
    assert sorted(path.name for path in (directory / "data").iterdir()) == names, "an attempt left something behind"
    rows = 0
    for file in manifest["files"]:
        path: Path = directory / "data" / file["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
        rows += pq.read_metadata(path).num_rows
    assert rows == manifest["total_rows"]
    return manifest


async def test_an_export_whose_worker_is_killed_in_the_middle_finishes(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    export = await request(database, user_id)
    pid = await eventually(lambda: worker_of(stack, export), LIMIT_S, every_s=0.02)
    assert pid is not None
    assert "job:exports.run" in " ".join(psutil.Process(pid).cmdline())
    os.kill(pid, signal.SIGKILL)

    async def tried_again() -> bool:
        job = await job_of(database, export)
        return bool(job.errors) and job.attempt == 2

    await eventually(tried_again, LEASE_S)  # the agent saw the death: nobody waited for a lease to run out
    await eventually(lambda: succeeded(database, export), LIMIT_S)
    job = await job_of(database, export)
    assert (job.state, job.attempt) == ("succeeded", 2)
    assert "worker died" in job.errors[0]["error"]
    assert check_files(stack, export)["total_rows"] == ORDERS


async def test_an_export_whose_agent_is_killed_finishes(stack: RunningStack, database: Database, user_id: UUID) -> None:
    export = await request(database, user_id)
    pid = await eventually(lambda: worker_of(stack, export), LIMIT_S, every_s=0.02)
    assert pid is not None
    agents = [p for p in psutil.process_iter(["cmdline"]) if "NodeAgentProcess" in " ".join(p.info["cmdline"] or [])]
    (agent,) = [p for p in agents if p.ppid() == psutil.Process(pid).ppid()]
    agent.kill()
    await eventually(lambda: not psutil.pid_exists(pid), LIMIT_S)  # a task dies with the actor that submitted it
    await eventually(lambda: succeeded(database, export), LIMIT_S)
    job = await job_of(database, export)
    assert (job.state, job.attempt) == ("succeeded", 2)
    assert check_files(stack, export)["total_rows"] == ORDERS


async def succeeded(database: Database, export: Export) -> bool:
    state = await state_of(database, export)
    assert state in ("queued", "running", "succeeded"), state
    if state != "succeeded":
        return False
    return (await job_of(database, export)).state == "succeeded"


async def test_a_cancelled_export_stops_within_seconds(stack: RunningStack, database: Database, user_id: UUID) -> None:
    export = await request(database, user_id)
    await eventually(lambda: worker_of(stack, export), LIMIT_S, every_s=0.02)
    async with database.transaction() as session:
        await service.cancel_export(session, export.id)

    async def cancelled() -> bool:
        return await state_of(database, export) == "cancelled"

    await eventually(cancelled, 15.0)

    async def gone() -> bool:
        return all(view["job_id"] != str(export.job_id) for view in await running(stack))

    await eventually(gone, 10.0)
    assert list((storage.directory(stack.settings, export.id) / "data").glob("*")) == []
