"""What operators are told of the queues."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from db.jobs import depth
from db.jobs.depth import queue_depths
from db.jobs.queue import NewJob, enqueue_many
from db.session import Database


async def test_jobs_by_queue_and_state_and_how_long_the_first_has_been_due(database: Database) -> None:
    now = datetime.now(UTC)
    async with database.transaction() as session:
        jobs = [NewJob("k", queue="mail") for _ in range(3)]
        later = [NewJob("k", queue="mail", run_at=now + timedelta(hours=1))]
        await enqueue_many(session, [*jobs, *later, NewJob("k", queue="exports")])
        await session.execute(text("UPDATE jobs.queue SET run_at = now() - interval '90 s' WHERE queue = 'exports'"))
    async with database.transaction(read_only=True) as session:
        found = {(each.queue, each.state): each for each in await queue_depths(session)}
    assert {name: each.jobs for name, each in found.items()} == {
        ("mail", "ready"): 3,
        ("mail", "deferred"): 1,
        ("exports", "ready"): 1,
    }
    assert 90 <= found["exports", "ready"].oldest_s < 150
    assert found["mail", "deferred"].oldest_s == 0


async def test_names_that_anybody_can_invent_do_not_fill_the_answer(database: Database) -> None:
    async with database.transaction() as session:
        many = [NewJob("k", queue=f"q{number}") for number in range(3 * depth.MOST_QUEUES + 5)]
        await enqueue_many(session, [*many, NewJob("k", queue="q7")])
    async with database.transaction(read_only=True) as session:
        found = await queue_depths(session)
    assert len(found) == 3 * depth.MOST_QUEUES
    assert (found[0].queue, found[0].jobs) == ("q7", 2)
