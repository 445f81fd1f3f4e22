"""The owner against a real database, with agents played by the test and a clock of its own."""

import asyncio

import msgspec
import pytest
from sqlalchemy import text

from actors.hosts.contract import ShardDeposed
from actors.jobs.contract import (
    BEAT_S,
    FinishReply,
    FinishRequest,
    LeasedJob,
    Outcome,
    ProgressReport,
)
from actors.jobs.leases import LEASE_S, SILENT_S
from actors.jobs.policy import ORPHANED_LIMIT
from actors.metrics.registry import REGISTRY
from db.effects import LOOK
from db.jobs import service
from db.jobs.lease import LeaseToken, hold, save_checkpoint
from db.jobs.queue import NewJob, enqueue_many
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts, cut_off, settled, state_of, token
from tests.fixtures.waiting import eventually


async def test_a_waiting_agent_gets_a_job_as_soon_as_the_owner_is_woken(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner)
    polling = asyncio.create_task(agent.poll(wait_s=10.0))
    (job_id,) = await add(database)
    await owner.wake(msgspec.msgpack.encode(["default"]))
    reply = await asyncio.wait_for(polling, 3)
    assert [job.id for job in reply.jobs] == [job_id]
    assert (reply.jobs[0].attempt, reply.jobs[0].max_attempts, reply.jobs[0].args) == (1, 3, {"n": 0})
    await agent.finish(reply.jobs[0], result={"ok": True})
    done = await state_of(database, job_id)
    assert (done.state, done.result) == ("succeeded", {"ok": True})


async def test_jobs_are_found_without_a_wake_up_in_a_queue_nobody_named(database: Database, start: Start) -> None:
    agent = Agent(await start())
    await add(database, 3, queue="unheard-of")
    reply = await asyncio.wait_for(agent.poll(wait_s=9.0), 9)
    assert len(reply.jobs) == 1  # capacity of "*"


async def test_waits_and_ends_are_counted(database: Database, start: Start) -> None:
    def counted() -> list[float]:
        ends = [{"kind": "k", "outcome": outcome} for outcome in ("succeeded", "retried", "given_back")]
        found = [REGISTRY.get_sample_value("job_attempts_total", labels) for labels in ends]
        timed = ("job_wait_seconds_count", "job_wait_seconds_sum", "job_attempt_duration_seconds_count")
        return [value or 0.0 for value in [*found, *(REGISTRY.get_sample_value(name, {"kind": "k"}) for name in timed)]]

    before = counted()
    agent = Agent(await start(), capacity=3)
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k") for _ in range(3)])
        await session.execute(text("UPDATE jobs.queue SET run_at = now() - interval '5 s'"))
    good, bad, lost = (await agent.poll()).jobs
    await agent.finish(good)
    await agent.finish(bad, "failed", error="no")
    await agent.finish(lost, "returned")
    ends = [after - earlier for after, earlier in zip(counted(), before, strict=True)]
    assert ends[:3] == [1, 1, 1]
    waits, waited_s, durations = ends[3:]
    assert (waits, durations) == (3, 3)
    assert 15 <= waited_s < 60


async def test_an_agent_never_holds_more_than_its_capacity(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner, capacity=2)
    await add(database, 5)
    first = await agent.poll()
    assert len(first.jobs) == 2
    assert (await agent.poll(wait_s=0.3)).jobs == []
    await agent.finish(first.jobs[0])
    assert len((await agent.poll()).jobs) == 1
    assert (await counts(owner)).running == 2


async def test_a_failure_comes_back_later_and_the_last_one_is_filed(database: Database, start: Start) -> None:
    agent = Agent(await start())
    (job_id,) = await add(database, max_attempts=2)
    (job,) = (await agent.poll()).jobs
    await agent.finish(job, "failed", error="first")
    waiting = await state_of(database, job_id)
    assert (waiting.state, waiting.attempt) == ("deferred", 1)
    async with database.transaction() as session:
        left = await session.scalar(text("SELECT extract(epoch FROM run_at - now()) FROM jobs.queue"))
        assert 20 < float(left) < 31
        await session.execute(text("UPDATE jobs.queue SET run_at = now()"))
    (job,) = (await agent.poll()).jobs
    assert job.attempt == 2
    await agent.finish(job, "failed", error="second")
    ended = await state_of(database, job_id)
    assert ended.state == "failed"
    assert [error["error"] for error in ended.errors] == ["first", "second"]


async def test_a_dead_worker_s_job_is_back_within_a_second(database: Database, start: Start) -> None:
    agent = Agent(await start())
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    await agent.finish(job, "died", error="worker died")
    (again,) = (await asyncio.wait_for(agent.poll(wait_s=3.0), 3)).jobs
    assert (again.id, again.attempt) == (job_id, 2)
    assert token(again) != token(job)
    # The zombie wakes up and claims success: it is told to forget it, and nothing changes.
    assert (await agent.finish(job)).settled == [token(job)]
    assert (await state_of(database, job_id)).state == "running"


async def test_cancelling_reaches_a_running_job(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner)
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    polling = asyncio.create_task(agent.poll(wait_s=10.0))
    async with database.transaction() as session:
        await service.cancel_job(session, job_id)
    await owner.wake(msgspec.msgpack.encode(["default"]))
    assert (await asyncio.wait_for(polling, 3)).cancel == [job_id]
    assert (await agent.beat()).cancel == [job_id]
    await agent.finish(job, "failed", error="stopped half-way")
    assert (await state_of(database, job_id)).state == "cancelled"


async def test_a_job_that_was_cancelled_is_not_tried_again_however_its_attempt_ends(
    database: Database, start: Start
) -> None:
    owner = await start()
    agent = Agent(owner)
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    async with database.transaction() as session:
        await service.cancel_job(session, job_id)
    await agent.finish(job, "died")  # the owner may or may not have seen the wish by now
    await owner.wake(msgspec.msgpack.encode(["default"]))

    async def cancelled() -> bool:
        return (await state_of(database, job_id)).state == "cancelled"

    await eventually(cancelled)
    assert (await agent.poll(wait_s=0.0)).jobs == []


async def test_a_handler_that_hangs_in_its_transaction_holds_up_nobody_else_s_end(
    database: Database, start: Start
) -> None:
    owner = await start()
    agent = Agent(owner)
    stuck_id, other_id = await add(database, 2)
    jobs = {job.id: job for job in (await agent.poll()).jobs}
    stuck = jobs[stuck_id]
    async with database.transaction() as hanging:
        await hold(hanging, stuck_id, LeaseToken(stuck.owner, stuck.number))
        ended = [Outcome(token=token(job), state="cancelled") for job in jobs.values()]
        request = FinishRequest(node=agent.node, boot=agent.boot, outcomes=ended)
        reply = msgspec.msgpack.decode(await owner.finish(msgspec.msgpack.encode(request)), type=FinishReply)
        assert reply.settled == [token(jobs[other_id])]
        assert (await state_of(database, stuck_id)).state == "running"
        (more,) = await add(database)  # and the owner has not lost its way: it goes on claiming
        await owner.wake(msgspec.msgpack.encode(["default"]))
        assert [job.id for job in (await asyncio.wait_for(agent.poll(), 3)).jobs] == [more]
    assert (await agent.finish(stuck, "cancelled")).settled == [token(stuck)]
    assert (await state_of(database, stuck_id)).state == "cancelled"


async def test_progress_waits_for_a_checkpoint_that_is_being_saved_and_nobody_waits_for_it(
    database: Database, start: Start
) -> None:
    owner = await start()
    agent = Agent(owner)
    saving, other = await add(database, 2)
    jobs = {job.id: job for job in (await agent.poll()).jobs}
    async with database.transaction() as session:
        await save_checkpoint(session, saving, {"part": 1})
        await agent.beat(*(ProgressReport(token=token(job), progress={"rows": 5}) for job in jobs.values()))
        await owner.tick()
        assert (await state_of(database, other)).progress == {"rows": 5}
        assert (await state_of(database, saving)).progress is None
    await owner.tick()
    assert (await state_of(database, saving)).progress == {"rows": 5}
    await agent.finish(jobs[saving], "died")

    async def again() -> list[LeasedJob]:
        return (await agent.poll()).jobs

    assert [job.checkpoint for job in await eventually(again)] == [{"part": 1}]


async def test_progress_is_stored_and_a_retry_gets_the_checkpoint(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner)
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    await agent.beat(ProgressReport(token=token(job), progress={"rows": 5}))
    async with database.transaction() as session:
        await save_checkpoint(session, job_id, {"part": 2})
    await agent.beat(ProgressReport(token=token(job), progress={"rows": 6}))
    await owner.tick()
    assert (await state_of(database, job_id)).progress == {"rows": 6}
    await agent.finish(job, "died")
    (again,) = (await agent.poll()).jobs
    assert again.checkpoint == {"part": 2}


async def test_a_silent_node_s_jobs_are_rescued_and_a_live_long_job_is_not(
    database: Database, start: Start, clock: Clock
) -> None:
    owner = await start()
    dead, alive = Agent(owner, "n1", 1), Agent(owner, "n2", 1)
    await add(database, 2)
    (lost,) = (await dead.poll()).jobs
    (long,) = (await alive.poll()).jobs
    for _ in range(int(LEASE_S * 10)):  # ten times the lease
        clock.now += 1.0
        if int(clock.now) % int(BEAT_S) == 0:
            assert (await alive.beat()).lost == []
        await owner.tick()
        if (await counts(owner)).rescued and clock.now < 1_000 + LEASE_S:
            pytest.fail("rescued before its lease was over")
    assert (await counts(owner)).rescued == 1
    rescued, running = await state_of(database, lost.id), await state_of(database, long.id)
    assert (rescued.state, rescued.attempt) in {("deferred", 0), ("ready", 0)}, "it was never heard that it had begun"
    assert "silent" in rescued.errors[0]["error"]
    assert (running.state, running.attempt) == ("running", 1)
    assert (await dead.beat()).lost == [token(lost)]


async def test_a_poll_that_its_killed_agent_left_behind_is_given_nothing(
    database: Database, start: Start, clock: Clock
) -> None:
    owner = await start()
    killed = Agent(owner)
    left_behind = asyncio.create_task(killed.poll())
    await asyncio.sleep(0)
    clock.now += 1.0
    successor = Agent(owner)
    await successor.beat()
    await add(database, 1)
    (job,) = (await successor.poll()).jobs
    assert job.attempt == 1
    assert (await left_behind).jobs == []


async def test_a_new_owner_honours_running_jobs_and_rescues_only_after_a_full_lease(
    database: Database, start: Start, clock: Clock
) -> None:
    old = await start()
    agent = Agent(old)
    await add(database, 2)
    kept, forgotten = (await agent.poll()).jobs
    new = await start()

    async def deposed() -> bool:
        try:
            await old.wake(msgspec.msgpack.encode([LOOK]))
        except ShardDeposed:
            return True
        return False

    assert await eventually(deposed)
    agent.owner = new
    del agent.jobs[forgotten.id]
    for _ in range(int(LEASE_S) - 1):
        clock.now += 1.0
        assert (await agent.beat()).lost == []
        await new.tick()
    assert (await counts(new)).rescued == 0
    for _ in range(6):
        clock.now += 1.0
        await agent.beat()
        await new.tick()
    assert (await counts(new)).rescued == 1
    # The token of the former owner still ends the job.
    assert (await agent.finish(kept, result={"done": 1})).settled == [token(kept)]
    assert (await state_of(database, kept.id)).state == "succeeded"
    assert (await state_of(database, forgotten.id)).state in ("ready", "deferred")


async def test_after_a_reconnect_the_owner_reasserts_before_it_claims(
    database: Database, start: Start, clock: Clock
) -> None:
    owner = await start()
    agent = Agent(owner, capacity=1)
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    # Postgres forgets the claim and cuts the owner's connections.
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'ready', attempt = 0, lease_owner = NULL, lease_no = NULL")
        )
    await cut_off(database)
    other = Agent(owner, "n2")
    assert (await other.poll(wait_s=2.0)).jobs == [], "the job was claimed a second time while its owner knew better"
    await eventually(lambda: settled(agent, job))
    done = await state_of(database, job_id)
    assert (done.state, done.attempt) == ("succeeded", 1)


async def test_an_outcome_that_could_not_be_written_is_not_settled(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner)
    (job_id,) = await add(database)
    (job,) = (await agent.poll()).jobs
    async with database.transaction() as session:
        # Holding the row keeps the finish from ending within its statement timeout.
        await session.execute(text("SELECT 1 FROM jobs.queue WHERE id = :id FOR UPDATE"), {"id": job_id})
        assert (await agent.finish(job)).settled == []
    await eventually(lambda: settled(agent, job))
    assert (await state_of(database, job_id)).state == "succeeded"


async def test_the_same_outcome_twice_is_settled_twice(database: Database, start: Start) -> None:
    agent = Agent(await start())
    await add(database)
    (job,) = (await agent.poll()).jobs
    both = await asyncio.gather(agent.finish(job), agent.finish(job))
    assert [reply.settled for reply in both] == [[token(job)]] * 2


async def test_the_newest_poll_of_an_agent_wins(database: Database, start: Start) -> None:
    agent = Agent(await start())
    old = asyncio.create_task(agent.poll(wait_s=10.0))
    await eventually(lambda: agent.boot in agent.owner._waiting)
    new = asyncio.create_task(agent.poll(wait_s=10.0))
    assert (await asyncio.wait_for(old, 2)).jobs == []
    await add(database)
    await agent.owner.wake(msgspec.msgpack.encode(["default"]))
    assert len((await asyncio.wait_for(new, 3)).jobs) == 1


async def test_a_silent_agent_s_poll_is_given_nothing_until_it_is_heard_again(
    database: Database, start: Start, clock: Clock
) -> None:
    """A handler that blocks its loop leaves a poll behind: what is rescued from there must not go back."""
    owner = await start()
    agent = Agent(owner)
    polling = asyncio.create_task(agent.poll(wait_s=10.0))
    await eventually(lambda: agent.boot in owner._waiting)
    clock.now += SILENT_S + 0.5
    (job_id,) = await add(database)
    await owner.wake(msgspec.msgpack.encode(["default"]))
    other = Agent(owner, "n2", capacity=0)
    assert (await other.poll(wait_s=0.3)).jobs == []
    assert not polling.done()
    await agent.beat()
    assert [job.id for job in (await asyncio.wait_for(polling, 3)).jobs] == [job_id]


@pytest.mark.parametrize(("kind", "reported", "attempt"), [("t", True, 1), ("k", False, 1), ("k", True, 2)])
async def test_what_ends_its_agent_counts_for_what_ran_inside_it_alone(
    database: Database, start: Start, clock: Clock, kind: str, reported: bool, attempt: int
) -> None:
    owner = await start()
    killed = Agent(owner)
    async with database.transaction() as session:
        (job_id,) = await enqueue_many(session, [NewJob(kind)])
    await killed.poll()
    if reported:
        await killed.beat()
    clock.now += 1.0
    successor = Agent(owner)
    await successor.beat()
    await owner.tick()
    (again,) = (await successor.poll()).jobs
    assert (again.id, again.attempt) == (job_id, attempt)
    assert "replaced" in (await state_of(database, job_id)).errors[0]["error"]


async def test_a_job_whose_agents_all_end_fails_at_last(database: Database, start: Start, clock: Clock) -> None:
    owner = await start()
    async with database.transaction() as session:
        (job_id,) = await enqueue_many(session, [NewJob("t")])
    agent = Agent(owner)
    for _ in range(ORPHANED_LIMIT + 2):
        (job,) = (await agent.poll()).jobs
        await agent.beat()
        clock.now += 1.0
        agent = Agent(owner)
        await agent.beat()
        await owner.tick()
    assert (await state_of(database, job_id)).state == "failed"
    assert job.attempt == 2
