"""Queues have their turns, in the whole owner."""

from db.jobs.queue import NewJob, enqueue_many
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts
from tests.fixtures.waiting import eventually


async def test_with_many_queues_each_has_its_turn(database: Database, start: Start) -> None:
    """An agent is asked for fifty jobs at most in one round; what stands behind must not wait for ever."""
    owner = await start()
    agent = Agent(owner)
    agent.capacity = {"*": 1}
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", {}, queue=f"q{n:02}") for n in range(60) for _ in range(3)])
    served: set[str] = set()
    for _ in range(3):
        for job in (await agent.poll(wait_s=3.0)).jobs:
            served.add(job.queue)
            await agent.finish(job)
    assert len(served) == 60


async def test_a_lost_wake_up_is_made_up_while_other_queues_are_busy(
    database: Database, start: Start, clock: Clock
) -> None:
    owner = await start()
    agent = Agent(owner)
    await add(database, 400)
    await agent.poll()
    (quiet,) = await add(database, 1, queue="quiet")

    async def reached() -> bool:
        clock.now += 0.2
        for job in list(agent.jobs.values()):
            await agent.finish(job)
        return quiet in {job.id for job in (await agent.poll(wait_s=1.0)).jobs}

    assert await eventually(reached)
    assert (await counts(owner)).claimed < 400, "it was found only when nothing else was left"
