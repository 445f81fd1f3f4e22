"""Limits and rates of queues hold, whatever happens to owners, agents and the database."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import text

from actors.jobs.actor import QueueOwner
from actors.jobs.contract import InvalidPolicy, LeasedJob, QueuePolicy, Rate
from actors.jobs.leases import LEASE_S
from db.jobs import service
from db.jobs.queue import NewJob, enqueue_many
from db.session import Database
from tests.fixtures.queue_owner import Agent, Clock, Start, add, counts, cut_off, state_of, woken
from tests.fixtures.waiting import eventually

ONE = {"default": QueuePolicy(limit=1)}


class Claims:
    """Counts what an owner asks its database."""

    def __init__(self, owner: QueueOwner) -> None:
        self.made = self.rounds = 0
        claim, stage = owner._store.claim, owner._store.stage

        async def counted_claim(*args: object, **kwargs: object) -> object:
            self.made += 1
            return await claim(*args, **kwargs)  # type: ignore[arg-type]

        async def counted_stage() -> object:
            self.rounds += 1
            return await stage()

        owner._store.claim = counted_claim  # type: ignore[assignment,method-assign]
        owner._store.stage = counted_stage  # type: ignore[assignment,method-assign]


async def running(database: Database) -> dict[str | None, int]:
    async with database.transaction() as session:
        found = await session.execute(
            text("SELECT key, count(*) AS n FROM jobs.queue WHERE state = 'running' GROUP BY key")
        )
        return {row.key: row.n for row in found}


async def test_never_over_a_limit_with_a_thousand_keys_and_several_agents(database: Database, start: Start) -> None:
    owner = await start({"default": QueuePolicy(limit=90, limit_per_key=2)})
    agents = [Agent(owner, f"n{n}", capacity=40) for n in range(4)]
    async with database.transaction() as session:
        few = [NewJob("k", key=f"key-{n}") for n in range(1_000)]
        many = [NewJob("k", key="busy") for _ in range(200)]
        nobodys = [NewJob("k") for _ in range(30)]
        await enqueue_many(session, [*few, *many, *nobodys])
        key_of = {row.id: row.key for row in await session.execute(text("SELECT id, key FROM jobs.queue"))}
    done: set[UUID] = set()
    most: Counter[str | None] = Counter()
    while len(done) < len(key_of):
        await asyncio.gather(*(agent.poll(wait_s=0.1) for agent in agents))
        held = [job for agent in agents for job in agent.jobs.values()]
        assert len(held) <= 90
        now = Counter(key_of[job.id] for job in held)
        most |= now
        assert max(now.values(), default=0) <= 2, now.most_common(3)
        for agent in agents:
            ended = list(agent.jobs.values())[:: 2 if len(held) > 10 else 1]
            done |= {job.id for job in ended}
            await agent.finish_all(ended)
    assert (most["busy"], most[None]) == (2, 2), "and the limit was used"
    assert await running(database) == {}


async def test_a_new_owner_keeps_to_the_limit_that_the_former_one_has_used(
    database: Database, start: Start, clock: Clock
) -> None:
    policies = {"default": QueuePolicy(limit=3, limit_per_key=2)}
    agent = Agent(await start(policies))
    await add(database, 3, key="a")
    await add(database, 3, key="b")
    await woken(agent.owner, ("default", "a"), ("default", "b"))
    held = (await agent.poll()).jobs
    assert len(held) == 3
    successor = await start(policies)
    other = Agent(successor, "n2")
    assert (await other.poll(wait_s=0.5)).jobs == [], "nobody has told the new owner of the leases yet"
    agent.owner = successor
    await agent.beat()
    assert (await agent.poll(wait_s=0.3)).jobs == []
    await agent.finish(held[0])
    assert len((await other.poll()).jobs) == 1
    assert max((await running(database)).values()) <= 2
    # The first agent dies: its jobs hold their places until they are rescued.
    for _ in range(int(LEASE_S) - 1):
        clock.now += 1.0
        await other.beat()
        await successor.tick()
        assert (await other.poll(wait_s=0.0)).jobs == []
    for _ in range(3):
        clock.now += 1.0
        await other.beat()
        await successor.tick()
    assert (await counts(successor)).rescued == 2

    async def all_three() -> bool:
        await other.poll(wait_s=0.5)
        return len(other.jobs) == 3

    assert await eventually(all_three)


async def test_a_database_that_forgot_a_claim_does_not_make_room(database: Database, start: Start) -> None:
    owner = await start(ONE)
    agent = Agent(owner)
    ids = await add(database, 2)
    (job,) = (await agent.poll()).jobs
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'ready', attempt = 0, lease_owner = NULL, lease_no = NULL")
        )
    await cut_off(database)
    assert (await agent.poll(wait_s=2.0)).jobs == []
    assert [(await state_of(database, job_id)).state for job_id in ids] == ["running", "ready"]

    async def other() -> list[LeasedJob]:
        await agent.finish(job)
        return (await agent.poll(wait_s=1.0)).jobs

    assert [again.id for again in await eventually(other)] == [ids[1]]


async def test_a_claim_that_outlived_its_connection_holds_its_place(
    database: Database, start: Start, clock: Clock
) -> None:
    """It commits after the owner has come back, and must have been waited for."""
    owner = await start(ONE)
    agent = Agent(owner)
    await agent.poll(wait_s=0.0)
    async with database.transaction() as stuck:
        await stuck.execute(text("SELECT 1 FROM jobs.owners FOR SHARE"))
        (lost,) = await enqueue_many(stuck, [NewJob("k")])
        await stuck.execute(
            text(
                "UPDATE jobs.queue SET state = 'running', attempt = 1, lease_owner = :boot, lease_no = 999, node = 'n1'"
            ),
            {"boot": owner.boot},
        )
        await cut_off(database)
        (waiting,) = await add(database, 1)
        assert (await agent.poll(wait_s=1.0)).jobs == []
    await eventually(lambda: owner._connected and lost in owner._book.leases)
    assert (await agent.poll(wait_s=0.5)).jobs == []
    for _ in range(int(LEASE_S) + 2):  # nobody has it: rescued like any other
        clock.now += 1.0
        await agent.beat()
        await owner.tick()
    (job,) = (await agent.poll()).jobs
    assert job.id in (lost, waiting)


async def test_whatever_ends_a_lease_frees_its_place(database: Database, start: Start, clock: Clock) -> None:
    owner = await start({"default": QueuePolicy(limit_per_key=1)})
    agent = Agent(owner)
    ids = await add(database, 6, key="a")
    for state in ("succeeded", "failed", "died", "refused", "snoozed"):
        (job,) = (await agent.poll()).jobs
        assert (await agent.poll(wait_s=0.0)).jobs == []
        await agent.finish(job, state, retry_in_s=3_600.0)  # type: ignore[arg-type]
        async with database.transaction() as session:  # what comes back does so much later
            await session.execute(
                text("UPDATE jobs.queue SET run_at = now() + interval '1 h' WHERE state = 'deferred'")
            )
    (job,) = (await agent.poll()).jobs
    async with database.transaction() as session:
        await service.cancel_job(session, job.id)
    (next_id,) = await add(database, 1, key="a")
    await woken(owner, "default", ("default", "a"))
    await agent.finish(job, "cancelled")
    (job,) = (await agent.poll()).jobs
    assert job.id == next_id
    await agent.beat()
    clock.now += 1.0
    successor = Agent(owner)  # its process was replaced
    await successor.beat()
    await owner.tick()
    (again,) = (await successor.poll()).jobs
    assert (again.id, again.attempt) == (next_id, 2)
    assert ids[0] not in successor.jobs


async def test_a_queue_at_its_limit_asks_nothing_and_holds_nobody_up(database: Database, start: Start) -> None:
    owner = await start({"default": QueuePolicy(limit=1), "keyed": QueuePolicy(limit_per_key=1)})
    claims = Claims(owner)
    agent = Agent(owner)
    agent.capacity = {"*": 50}
    await add(database, 20)
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", queue="keyed", key=f"{n % 30}") for n in range(90)])

    async def at_the_limit() -> bool:
        await agent.poll(wait_s=0.5)
        return len(agent.jobs) == 31

    await eventually(at_the_limit)
    await agent.poll(wait_s=0.0)
    polling = asyncio.create_task(agent.poll(wait_s=10.0))
    await eventually(lambda: agent.boot in owner._waiting)
    rounds, made = claims.rounds, claims.made
    for _ in range(20):
        before = claims.rounds
        await woken(owner, "default", ("keyed", "7"))
        await eventually(lambda before=before: claims.rounds > before)  # type: ignore[misc]
    assert claims.rounds < rounds + 60, "it looks when it is woken, and rests"
    assert claims.made == made, "there was nothing to ask for"
    (job_id,) = await add(database, 1, queue="other")
    await woken(owner, "other")
    assert [job.id for job in (await asyncio.wait_for(polling, 3)).jobs] == [job_id]
    assert claims.made <= made + 2


async def test_a_rate_lets_a_burst_start_and_then_one_at_a_time(database: Database, start: Start, clock: Clock) -> None:
    owner = await start({"default": QueuePolicy(rate=Rate(6, per_s=60.0, burst=3))})
    claims = Claims(owner)
    agents = [Agent(owner, "n1"), Agent(owner, "n2")]
    await add(database, 20)

    async def started(wait_s: float = 5.0) -> int:
        jobs = (await agents[0].poll(wait_s)).jobs + (await agents[1].poll(wait_s=0.2)).jobs
        await agents[0].finish_all(jobs)
        return len(jobs)

    assert [await started(), await started(0.2), await started(0.2)] == [3, 0, 0]
    made = claims.made
    for _ in range(3):
        clock.now += 10.0
        for agent in agents:
            await agent.beat()
        assert [await started(), await started(0.2)] == [1, 0]
    assert claims.made <= made + 3, "while nothing may start, nothing is asked"
    clock.now += 10_000.0
    assert await started() == 3, "a burst, however long the pause"


async def test_a_rate_per_key_holds_up_that_key_alone(database: Database, start: Start, clock: Clock) -> None:
    owner = await start({"default": QueuePolicy(rate_per_key=Rate(1, per_s=5.0))})
    agent = Agent(owner)
    await add(database, 3, key="a")
    await add(database, 1, key="b")
    await woken(owner, ("default", "a"), ("default", "b"))
    assert len((await agent.poll()).jobs) == 2
    (late,) = await add(database, 1, key="c")
    await woken(owner, ("default", "c"))
    assert [job.id for job in (await agent.poll()).jobs] == [late]
    assert (await agent.poll(wait_s=0.2)).jobs == []
    clock.now += 5.0
    await agent.beat()
    assert len((await agent.poll()).jobs) == 1


async def test_a_policy_that_cannot_be_kept_is_an_error_at_the_start(start: Start) -> None:
    with pytest.raises(InvalidPolicy, match="queue 'mail'"):
        await start({"mail": QueuePolicy(limit=-1)})
