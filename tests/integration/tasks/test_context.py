"""A handler's transactions hold its lease."""

from sqlalchemy import text

from tasks import runner
from tasks.context import JobContext
from tests.fixtures.jobs import Bench


async def test_a_job_that_was_given_to_another_writes_nothing(bench: Bench, monkeypatch: object) -> None:
    await bench.enqueue("analytics.record", {"events": []})
    (job,) = await bench.claim()
    context = JobContext(job, bench.settings, bench.database, bench.recorder)
    async with context.transaction() as session:
        await session.execute(text("INSERT INTO jobs.cron_fires VALUES ('mine', now(), NULL)"))
    async with bench.database.transaction() as session:
        await session.execute(text("UPDATE jobs.queue SET lease_no = lease_no + 1"))
    assert (await bench.run(job)).state == "cancelled"
    async with bench.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM jobs.cron_fires")) == 1
    assert callable(runner.load_handler)


async def test_the_acting_user_is_who_asked(bench: Bench) -> None:
    from uuid import uuid4

    user_id = uuid4()
    await bench.enqueue("analytics.record", {"events": []}, user_id=user_id)
    (job,) = await bench.claim()
    async with JobContext(job, bench.settings, bench.database, bench.recorder).transaction() as session:
        assert str(await session.scalar(text("SELECT app.acting_user_id()"))) == str(user_id)
