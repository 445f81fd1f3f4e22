"""Jobs on a real cluster: killed in the middle, cancelled, and finished all the same."""

import contextlib
import functools
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from actors.jobs.leases import LEASE_S
from db.exports import service, storage
from db.exports.models import Export
from db.jobs.service import JobView, get_job
from db.session import Database
from tests.fixtures.exports import exporter
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

ORDERS = 200_000
"""Enough for an export of several seconds, so that there is a middle to be killed in."""

LARGE, LONG = 120_000, 1_200
"""Orders and the length of their notes: two parts, so that a second process helps."""

LIMIT_S = 120.0
STOP_LIMIT_S = 20.0
"""The owner finds the wish within 5 s (nobody wakes it here), the agent gives 3 s of grace and takes 2 to kill."""

SWEEP_LIMIT_S = 60.0


@pytest.fixture(scope="module")
async def database(stack: RunningStack) -> AsyncIterator[Database]:
    opened = Database(stack.database_url, pool_size=2, max_overflow=2, application_name="mobula-test")
    yield opened
    await opened.dispose()


@pytest.fixture(scope="module")
async def user_id(stack: RunningStack, database: Database) -> AsyncIterator[UUID]:
    async with exporter(database, stack.database_url, ORDERS) as somebody:
        yield somebody


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


def processes(stack: RunningStack, title: str) -> list[psutil.Process]:
    """Ray processes of this stack (and of no other that runs on this machine) that do this now."""
    found = []
    for process in psutil.process_iter():
        try:
            if " ".join(process.cmdline()).startswith(f"ray::{title}"):
                found += [process] if process.environ().get("MOBULA_HOME") == str(stack.paths.home) else []
        except psutil.Error:
            continue
    return found


async def freeze_in_the_middle(stack: RunningStack, database: Database, user_id: UUID) -> tuple[Export, psutil.Process]:
    """Request an export and stop its worker while it writes; it stays stopped until it is killed or continued.

    It begins cold, because a warm worker writes everything in half a second, which a look at a busy machine takes too;
    and it goes on only while nobody looks, in steps.
    """
    idle = processes(stack, "IDLE")
    for process in idle:
        process.kill()
    psutil.wait_procs(idle, timeout=LIMIT_S)
    export = await request(database, user_id)
    (worker,) = await eventually(lambda: processes(stack, "job:exports.run"), LIMIT_S, every_s=0.01)

    async def writing() -> bool:
        worker.suspend()
        if await state_of(database, export) != "queued":
            return True
        worker.resume()
        return False

    await eventually(writing, LIMIT_S, every_s=0.02)
    assert await state_of(database, export) == "running", (
        "it was over before it could be stopped: more orders are needed"
    )
    assert not (storage.directory(stack.settings, export.id) / storage.MANIFEST).exists()
    return export, worker


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


async def test_exports_one_after_the_other_share_a_process(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    def begun() -> set[Path]:
        return set((stack.paths.logs / "processes").glob("worker-*.log"))

    before = begun()
    for _ in range(5):
        export = await request(database, user_id)
        await eventually(functools.partial(succeeded, database, export), LIMIT_S)
    # Two where the first one has had as many jobs as it may have, or was just then idle for too long.
    assert len(begun() - before) <= 2


async def test_an_export_whose_worker_is_killed_in_the_middle_finishes(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    export, worker = await freeze_in_the_middle(stack, database, user_id)
    worker.kill()

    async def tried_again() -> bool:
        job = await job_of(database, export)
        return bool(job.errors) and job.attempt == 2

    await eventually(tried_again, LEASE_S)  # the agent saw the death: nobody waited for a lease to run out
    await eventually(lambda: succeeded(database, export), LIMIT_S)
    job = await job_of(database, export)
    assert (job.state, job.attempt) == ("succeeded", 2), job.errors
    assert "worker died" in job.errors[0]["error"]
    assert check_files(stack, export)["total_rows"] == ORDERS


async def test_a_killed_part_worker_costs_its_part_and_not_the_export(stack: RunningStack, database: Database) -> None:
    async with exporter(database, stack.database_url, LARGE, note_bytes=LONG) as somebody:
        export, own = await freeze_in_the_middle(
            stack, database, somebody
        )  # or it might be done before the other has begun
        (worker,) = await eventually(lambda: processes(stack, "job:exports.write_parts"), LIMIT_S, every_s=0.01)

        async def has_a_part() -> bool:
            worker.suspend()
            async with database.transaction(read_only=True) as session:
                taken = await session.scalar(
                    text("SELECT count(*) FROM app.export_parts WHERE export_id = :id AND job_id <> :own"),
                    {"id": export.id, "own": export.job_id},
                )
            if taken:
                return True
            worker.resume()
            return False

        await eventually(has_a_part, LIMIT_S, every_s=0.02)
        worker.kill()
        own.resume()
        await eventually(lambda: succeeded(database, export), LIMIT_S)
        job = await job_of(database, export)
        assert (job.attempt, job.errors) == (1, []), "its own job did not begin anew"
        manifest = check_files(stack, export)
        assert (manifest["total_rows"], len(manifest["files"])) == (LARGE, 2)
        await eventually(lambda: not processes(stack, "job:exports.write_parts"), STOP_LIMIT_S)


async def test_an_export_whose_agent_is_killed_finishes(stack: RunningStack, database: Database, user_id: UUID) -> None:
    export, worker = await freeze_in_the_middle(stack, database, user_id)
    (agent,) = processes(stack, "NodeAgentProcess")
    agent.kill()
    await eventually(lambda: not worker.is_running(), LIMIT_S)  # a task dies with the actor that submitted it
    await eventually(lambda: succeeded(database, export), LIMIT_S)
    job = await job_of(database, export)
    # Its second run; that its agent ended was not its fault, so the first is not counted.
    assert (job.state, job.attempt, len(job.errors)) == ("succeeded", 1, 1), job.errors
    assert check_files(stack, export)["total_rows"] == ORDERS


async def test_an_agent_that_stays_stopped_is_ended_and_its_successor_finishes_the_export(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    (agent,) = processes(stack, "NodeAgentProcess")
    agent.suspend()
    try:
        export = await request(database, user_id)
        await eventually(lambda: succeeded(database, export), LIMIT_S)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            agent.kill()
    assert agent not in processes(stack, "NodeAgentProcess")


async def succeeded(database: Database, export: Export) -> bool:
    state = await state_of(database, export)
    assert state in ("queued", "running", "succeeded"), state
    if state != "succeeded":
        return False
    return (await job_of(database, export)).state == "succeeded"


async def cancel(database: Database, export: Export) -> None:
    """As a click does. It has ended when that returns, whatever its worker does."""
    async with database.transaction() as session:
        await service.cancel_export(session, export.id)
    assert await state_of(database, export) == "cancelled"


async def stopped(stack: RunningStack, database: Database, export: Export) -> bool:
    """Nothing runs, and nothing is left."""
    over = (await job_of(database, export)).state == "cancelled" and not processes(stack, "job:exports.run")
    return over and not list((storage.directory(stack.settings, export.id) / "data").glob("*"))


async def test_a_cancelled_export_stops_within_seconds(stack: RunningStack, database: Database, user_id: UUID) -> None:
    export, worker = await freeze_in_the_middle(stack, database, user_id)
    await cancel(database, export)
    worker.resume()
    await eventually(lambda: stopped(stack, database, export), STOP_LIMIT_S)
    assert await state_of(database, export) == "cancelled"


async def test_a_cancelled_export_whose_worker_hangs_makes_room_for_the_next(
    stack: RunningStack, database: Database, user_id: UUID
) -> None:
    export, worker = await freeze_in_the_middle(stack, database, user_id)
    await cancel(database, export)
    await eventually(lambda: not worker.is_running(), STOP_LIMIT_S)  # nobody let it go on: the agent killed it
    following = await request(database, user_id)
    await eventually(lambda: succeeded(database, following), LIMIT_S)
    # What the killed worker left is reconciliation's to delete.
    await eventually(lambda: stopped(stack, database, export), SWEEP_LIMIT_S)
