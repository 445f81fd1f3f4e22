"""Ends that cannot be stored, and ends that come late, in the whole owner."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from actors.jobs.contract import (
    FinishReply,
    FinishRequest,
    Outcome,
    ProgressReport,
)
from actors.jobs.leases import LEASE_S
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts, state_of, token
from tests.fixtures.waiting import eventually


async def test_one_outcome_that_cannot_be_stored_ends_its_own_job_and_no_other_waits(
    database: Database, start: Start
) -> None:
    owner = await start()
    agent = Agent(owner)
    ids = await add(database, 5)
    jobs = {job.id: job for job in (await agent.poll()).jobs}
    outcomes = [
        Outcome(token=token(job), state="succeeded", result={"t": "\x00" if job.id == ids[2] else "good"})
        for job in jobs.values()
    ]
    request = FinishRequest(node=agent.node, boot=agent.boot, outcomes=outcomes)
    reply = msgspec.msgpack.decode(await owner.finish(msgspec.msgpack.encode(request)), type=FinishReply)
    assert set(reply.settled) == {token(job) for job in jobs.values()}
    states = [(await state_of(database, job_id)).state for job_id in ids]
    assert states == ["succeeded", "succeeded", "failed", "succeeded", "succeeded"]
    assert "cannot be stored" in (await state_of(database, ids[2])).errors[0]["error"]


async def test_progress_that_cannot_be_stored_stops_no_rescue(database: Database, start: Start, clock: Clock) -> None:
    owner = await start()
    dead, alive = Agent(owner, "n1", 1), Agent(owner, "n2", 1)
    await add(database, 2)
    await dead.poll()
    (job,) = (await alive.poll()).jobs
    for _ in range(int(LEASE_S) + 2):
        clock.now += 1.0
        await alive.beat(ProgressReport(token=token(job), progress={"t": "\x00"}))
        await owner.tick()
    assert (await counts(owner)).rescued == 1


class Gate:
    """A statement that is not sent before the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: object, name: str) -> None:
        self._statement: Callable[..., Awaitable[Any]] = getattr(store, name)
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(store, name, self)

    async def __call__(self, *args: Any, **fields: Any) -> Any:
        self.reached.set()
        await self.opened.wait()
        return await self._statement(*args, **fields)


async def test_an_end_that_is_written_late_does_not_take_the_next_attempt_s_lease(
    database: Database, start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job was given back, and leased anew, while the end of its former attempt waited to be written."""
    owner = await start()
    slow, other = Agent(owner, "n1", 1), Agent(owner, "n2", 1)
    await add(database, 1)
    (job,) = (await slow.poll()).jobs
    await slow.beat()
    for _ in range(int(LEASE_S) - 1):
        clock.now += 1.0
        await other.beat()
        await owner.tick()
    release, finish = (Gate(monkeypatch, owner._store, name) for name in ("release", "finish"))
    clock.now += 2.0
    ticking = asyncio.create_task(owner.tick())
    await asyncio.wait_for(release.reached.wait(), 10)
    finishing = asyncio.create_task(slow.finish(job))
    await asyncio.wait_for(finish.reached.wait(), 10)
    release.opened.set()
    await ticking
    (again,) = (await other.poll()).jobs
    assert (again.id, again.attempt) == (job.id, 2)
    finish.opened.set()
    assert (await finishing).settled == [token(job)], "it counts no more"
    assert (await other.beat()).lost == []
    assert (await other.finish(again)).settled == [token(again)]
    assert (await state_of(database, job.id)).state == "succeeded"


async def test_what_was_rescued_before_it_was_fetched_is_not_handed_out(
    database: Database, start: Start, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await start()
    slow, other = Agent(owner, "n1", 1), Agent(owner, "n2", 1)
    (job_id,) = await add(database, 1)
    claim = Gate(monkeypatch, owner._store, "claim")
    polling = asyncio.create_task(slow.poll())
    await asyncio.wait_for(claim.reached.wait(), 10)
    polling.cancel()  # its process stands still from now on
    claim.opened.set()
    await eventually(lambda: job_id in owner._book.leases)
    for _ in range(int(LEASE_S) + 2):
        clock.now += 1.0
        await other.beat()
        await owner.tick()
    (job,) = (await other.poll()).jobs
    assert job.id == job_id
    assert (await slow.poll(wait_s=0.0)).jobs == []
    assert (await other.beat()).lost == []
    assert owner._book.leases[job_id].agent == other.boot
