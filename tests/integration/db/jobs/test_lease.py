"""A handler's transaction holds the lease, or fails."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from db.jobs.errors import LeaseLost
from db.jobs.lease import LeaseToken, hold, save_checkpoint
from db.jobs.queue import enqueue
from db.jobs.store import JobStore
from db.session import Database


async def test_only_the_holder_may_write(database: Database, database_url: str) -> None:
    boot = uuid4()
    store = JobStore(database_url, shard=0, boot=boot)
    await store.take()
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {}, queue="a")
    (job,) = await store.claim({"a": 1}, base=7, node="n1")
    async with database.transaction() as session:
        await hold(session, job_id, LeaseToken(boot, job.number))

    async def write_under(token: LeaseToken) -> None:
        async with database.transaction() as session:
            await session.execute(text("INSERT INTO jobs.cron_fires VALUES ('never', now(), NULL)"))
            await hold(session, job_id, token)

    for token in (LeaseToken(boot, job.number + 1), LeaseToken(uuid4(), job.number)):
        with pytest.raises(LeaseLost):
            await write_under(token)
    async with database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.cron_fires")) == 0
    await store.close()


async def test_a_checkpoint_commits_or_rolls_back_with_the_work(database: Database, database_url: str) -> None:
    store = JobStore(database_url, shard=0, boot=uuid4())
    await store.take()
    async with database.transaction() as session:
        job_id = await enqueue(session, "k", {}, queue="a")
    async with database.transaction() as session:
        await save_checkpoint(session, job_id, {"part": 1})
    async with database.transaction() as session:
        await save_checkpoint(session, job_id, {"part": 2})
        await session.rollback()
    (job,) = await store.claim({"a": 1}, base=0, node="n1")
    assert job.checkpoint == {"part": 1}
    await store.close()
