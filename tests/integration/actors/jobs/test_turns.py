"""The keys of a queue take turns, in the whole owner."""

from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import text

from actors.jobs import discovery
from actors.jobs.handle import MANY_KEYS
from db.jobs.queue import NewJob, enqueue_many
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts, woken
from tests.fixtures.waiting import eventually


async def test_a_quiet_key_beside_a_busy_one_is_served_in_its_first_turn(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner, capacity=8)
    await add(database, 2_000, key="busy")
    first = (await agent.poll()).jobs
    assert len(first) == 7, "the last one of eight is kept"
    (quiet,) = await add(database, 1, key="quiet", priority=9)
    (plain,) = await add(database, 1, priority=9)
    await woken(owner, ("default", "quiet"), "default")
    for job in first[:2]:
        await agent.finish(job)
    served = {job.id for job in (await agent.poll()).jobs}
    assert served == {quiet, plain}, "both before 1,992 that were there long before, and by no priority"


async def test_a_quiet_key_need_not_wait_for_a_job_of_a_busy_one_to_end(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner, capacity=16)
    await add(database, 200, key="busy")
    await woken(owner, ("default", "busy"))
    held = (await agent.poll()).jobs
    assert len(held) == 14
    quiet = await add(database, 2, key="quiet")
    await woken(owner, ("default", "quiet"))
    assert [job.id for job in (await agent.poll()).jobs] == quiet[:1]
    other = Agent(owner, "n2", capacity=16)

    async def full() -> bool:
        await other.poll(wait_s=0.5)
        return owner._book.agents[other.boot].held == {"default": 14}

    assert await eventually(full), "what runs elsewhere takes no place away here"
    await agent.finish_all(held[:3])
    await agent.poll()
    assert owner._book.agents[agent.boot].held == {"default": 14}, "of 4 that were free two are kept again"


async def test_with_one_place_the_users_take_turns_and_each_goes_by_priority_then_age(
    database: Database, start: Start
) -> None:
    owner = await start()
    agent = Agent(owner, capacity=1)
    first, second, third = await add(database, 3, key="a")
    (urgent,) = await add(database, 1, key="a", priority=-1)
    (single,) = await add(database, 1, key="b")
    await woken(owner, ("default", "a"), ("default", "b"))
    order: list[UUID] = []
    while len(order) < 5:
        for job in (await agent.poll()).jobs:
            order.append(job.id)
            await agent.finish(job)
    assert order == [urgent, single, first, second, third]


async def test_after_a_change_of_owner_whoever_runs_something_is_not_first_again(
    database: Database, start: Start
) -> None:
    agent = Agent(await start(), capacity=1)
    await add(database, 2, key="a")
    (running,) = (await agent.poll()).jobs
    (single,) = await add(database, 1, key="b")
    agent.owner = await start()
    await agent.beat()
    await agent.finish(running)
    assert [job.id for job in (await agent.poll()).jobs] == [single]


async def test_keys_are_found_without_a_wake_up_and_more_than_one_look_finds(
    database: Database, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "KEYS_PER_LOOK", 20)
    owner = await start()
    agent = Agent(owner, capacity=200)
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", key=f"key-{n:03}") for n in range(110)])

    async def all_there() -> bool:
        await agent.poll(wait_s=1.0)
        return len(agent.jobs) == 110

    assert await eventually(all_there)


async def test_a_wake_up_that_could_not_name_the_keys_is_enough(database: Database, start: Start, clock: Clock) -> None:
    owner = await start()
    agent = Agent(owner, capacity=300)
    await agent.poll(wait_s=0.0)
    await eventually(lambda: owner._discovery._laps == 0)
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", key=f"key-{n:03}") for n in range(250)])
    await woken(owner, ("default", MANY_KEYS))

    async def all_there() -> bool:
        await agent.poll(wait_s=1.0)
        return len(agent.jobs) == 250

    assert await eventually(all_there)
    assert clock.now == 1_000.0, "no time has passed for the owner: it was not the look from time to time"


async def test_a_released_job_is_found_again_under_its_key(database: Database, start: Start) -> None:
    agent = Agent(await start())
    (job_id,) = await add(database, 1, key="a")
    (job,) = (await agent.poll()).jobs
    await agent.finish(job, "returned")
    assert [again.id for again in (await agent.poll()).jobs] == [job_id]


async def test_keys_whose_jobs_were_cancelled_hold_nobody_up(database: Database, start: Start) -> None:
    owner = await start()
    agent = Agent(owner, capacity=1)
    await woken(owner, *(("default", f"gone-{n}") for n in range(150)))
    (job_id,) = await add(database, 1, key="there")
    await woken(owner, ("default", "there"))
    (job,) = (await agent.poll(wait_s=9.0)).jobs
    assert job.id == job_id
    await agent.finish(job)
    assert (await counts(owner)).claimed == 1


async def test_many_agents_share_many_keys_evenly(database: Database, start: Start) -> None:
    owner = await start()
    agents = [Agent(owner, f"n{n}", capacity=10) for n in range(3)]
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", key=f"{n % 100}") for n in range(1_000)])
    served: Counter[str] = Counter()
    async with database.transaction() as session:
        key_of = {row.id: row.key for row in await session.execute(text("SELECT id, key FROM jobs.queue"))}
    while sum(served.values()) < 500:
        for agent in agents:
            jobs = (await agent.poll()).jobs
            served.update(key_of[job.id] for job in jobs)
            await agent.finish_all(jobs)
    assert len(served) == 100
    assert max(served.values()) - min(served.values()) <= 1
