"""A handler's transactions hold its lease."""

import pytest
from sqlalchemy import text

from db.jobs.service import get_job
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


async def test_what_a_handler_quotes_is_stored_whatever_it_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(job: JobContext) -> dict[str, str]:
        await job.progress({"file": "a\x00b"})
        if job.attempt == 1:
            raise ValueError("a\x00b\ud800")
        return {"file": "a\x00b"}

    monkeypatch.setattr(runner, "load_handler", lambda kind: handler)
    job_id = await bench.enqueue("analytics.record", {})
    assert [state for _, state in await bench.drain(time_passes=True)] == ["failed", "succeeded"]
    async with bench.database.transaction() as session:
        job = await get_job(session, job_id)
    assert (job.state, job.result) == ("succeeded", {"file": "a\ufffdb"})
    assert "a\ufffdb?" in job.errors[0]["error"]


async def test_the_acting_user_is_who_asked(bench: Bench) -> None:
    from uuid import uuid4

    user_id = uuid4()
    await bench.enqueue("analytics.record", {"events": []}, user_id=user_id)
    (job,) = await bench.claim()
    async with JobContext(job, bench.settings, bench.database, bench.recorder).transaction() as session:
        assert str(await session.scalar(text("SELECT app.acting_user_id()"))) == str(user_id)
