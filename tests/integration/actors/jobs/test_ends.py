"""One end that cannot be stored, in the whole owner."""

import msgspec

from actors.jobs.contract import (
    FinishReply,
    FinishRequest,
    Outcome,
    ProgressReport,
)
from actors.jobs.leases import LEASE_S
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts, state_of, token


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
