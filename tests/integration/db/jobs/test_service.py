"""Looking at jobs, cancelling, running again."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.effects import JobsEnqueued
from db.errors import InvalidInput
from db.jobs import service
from db.jobs.errors import JobFinished, JobNotFound, JobNotRetryable
from db.jobs.lease import LeaseToken, hold
from db.jobs.queue import enqueue, new_job_id
from db.jobs.store import Finish, JobStore
from db.session import Database, recorded_effects


async def finished(database: Database, database_url: str, state: str) -> UUID:
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {"a": 1}, queue="q", priority=3, user_id=uuid4())
    boot = uuid4()
    store = JobStore(database_url, shard=0, boot=boot)
    await store.take()
    (job,) = await store.claim({"q": 1}, base=0, node="n1")
    await store.finish(
        [Finish(job.id, boot, job.number, state, error={"error": "boom"} if state == "failed" else None)]
    )
    await store.close()
    return job_id


async def test_lists_live_and_ended_jobs_newest_first(database: Database, database_url: str) -> None:
    ended = await finished(database, database_url, "failed")
    async with database.transaction() as session:
        waiting = await enqueue(session, "other", {}, queue="q2")
    async with database.transaction() as session:
        page = await service.list_jobs(session)
        assert [job.id for job in page.items] == [waiting, ended]
        assert page.total == 2
        assert [job.id for job in (await service.list_jobs(session, state="failed")).items] == [ended]
        assert [job.id for job in (await service.list_jobs(session, kind="other")).items] == [waiting]
        assert [job.id for job in (await service.list_jobs(session, queue="nowhere")).items] == []
        assert [job.id for job in (await service.list_jobs(session, page=2, limit=1)).items] == [ended]
        with pytest.raises(InvalidInput):
            await service.list_jobs(session, state="asleep")
        counts = await service.count_jobs(session)
        assert (counts.ready, counts.running) == (1, 0)


async def test_pages_show_every_job_once_whatever_order_they_ended_in(database: Database) -> None:
    """A backlog that ends for an hour, and a job that was enqueued last and failed at once."""
    ids = [new_job_id() for _ in range(30)]
    rows = [{"id": id, "ago": 30 - n if n < 29 else 90} for n, id in enumerate(ids)]
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO jobs.history (id, finished_at, queue, kind, args, priority, state, attempt, errors,"
                " created_at) VALUES (:id, now() - make_interval(mins => :ago), 'q', 'k', '{}', 0, 'failed', 1, '[]',"
                " now())"
            ),
            rows,
        )
    async with database.transaction() as session:
        pages = [await service.list_jobs(session, page=number, limit=7) for number in range(1, 6)]
    assert [job.id for page in pages for job in page.items] == ids[::-1]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "pkey"),
        ({"state": "failed"}, "state_id_idx"),
        ({"kind": "k"}, "kind_id_idx"),
        ({"state": "failed", "kind": "k"}, "_id_idx"),
    ],
)
async def test_what_is_counted_and_shown_of_the_history_is_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch, filters: dict[str, str], index: str
) -> None:
    monkeypatch.setattr(service, "MAX_OFFSET", 40)
    async with database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO jobs.history (id, finished_at, queue, kind, args, priority, state, attempt, errors,"
                " created_at) SELECT app.new_id(), now() - make_interval(secs => n), 'q', 'k' , '{}', 0,"
                " CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'succeeded' END, 1, '[]', now()"
                " FROM generate_series(1, 2000) n"
            )
        )
        await session.execute(text("ANALYZE jobs.history"))
    async with database.transaction() as session:
        page = await service.list_jobs(session, **filters, limit=5)
        assert (page.total, len(page.items)) == (40, 5)
        _, ended = service._sources(tuple(filters))
        plan = await session.execute(text(f"EXPLAIN SELECT id FROM {ended} ORDER BY id DESC LIMIT 5"), filters)
        assert index in "\n".join(plan.scalars()), "it reads the history from the start"


async def test_a_waiting_job_is_cancelled_at_once(database: Database) -> None:
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {})
    async with database.transaction() as session:
        assert (await service.cancel_job(session, job_id)).state == "cancelled"
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.queue")) == 0
        with pytest.raises(JobFinished):
            await service.cancel_job(session, job_id)
        with pytest.raises(JobNotFound):
            await service.cancel_job(session, uuid4())


async def test_a_running_job_is_asked_to_stop_and_its_owner_woken(database: Database, database_url: str) -> None:
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {}, queue="q")
    store = JobStore(database_url, shard=0, boot=uuid4())
    await store.take()
    await store.claim({"q": 1}, base=0, node="n1")
    async with database.transaction() as session:
        job = await service.cancel_job(session, job_id)
        assert (job.state, job.cancel_requested) == ("running", True)
        assert recorded_effects(session) == [JobsEnqueued(look=True)]
    assert (await store.stage()).cancelled == (job_id,)
    await store.close()


async def test_a_job_whose_handler_hangs_in_a_transaction_is_cancelled_without_waiting_for_it(
    database: Database, database_url: str
) -> None:
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {}, queue="q")
    boot = uuid4()
    store = JobStore(database_url, shard=0, boot=boot)
    await store.take()
    (row,) = await store.claim({"q": 1}, base=0, node="n1")
    async with database.transaction() as hanging:
        await hold(hanging, job_id, LeaseToken(boot, row.number))
        async with database.transaction() as session:
            await session.execute(text("SET LOCAL lock_timeout = '1s'"))
            assert (await service.cancel_job(session, job_id)).cancel_requested
        assert (await store.stage()).cancelled == (job_id,)
    await store.close()


async def test_cancelling_twice_is_one_wish(database: Database, database_url: str) -> None:
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {}, queue="q")
    store = JobStore(database_url, shard=0, boot=uuid4())
    await store.take()
    await store.claim({"q": 1}, base=0, node="n1")
    for _ in range(2):
        async with database.transaction() as session:
            assert (await service.cancel_job(session, job_id)).cancel_requested
    assert (await store.stage()).cancelled == (job_id,)
    await store.close()


async def test_a_failed_job_is_run_again_as_a_new_one(database: Database, database_url: str) -> None:
    failed = await finished(database, database_url, "failed")
    async with database.transaction() as session:
        again = await service.retry_job(session, failed)
        assert again.id != failed
        assert (again.state, again.args, again.queue, again.priority) == ("ready", {"a": 1}, "q", 3)


async def test_asking_twice_for_a_retry_runs_it_once(database: Database, database_url: str) -> None:
    failed = await finished(database, database_url, "failed")

    async def retry() -> UUID:
        async with database.transaction() as session:
            return (await service.retry_job(session, failed)).id

    first, *others = await asyncio.gather(*(retry() for _ in range(4)))
    assert set(others) == {first}
    async with database.transaction() as session:
        assert (await service.list_jobs(session, state="ready")).total == 1
        await service.cancel_job(session, first)
    assert await retry() != first


async def test_a_job_that_succeeded_is_not_run_again(database: Database, database_url: str) -> None:
    done = await finished(database, database_url, "succeeded")
    async with database.transaction() as session:
        with pytest.raises(JobNotRetryable):
            await service.retry_job(session, done)
