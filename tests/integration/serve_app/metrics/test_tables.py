"""The gauges that are read from tables."""

from sqlalchemy import text

from actors.metrics.snapshot import Snapshot
from db.jobs.queue import NewJob, enqueue_many
from db.session import Database
from serve_app.metrics.tables import read_tables


def samples(snapshot: Snapshot) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sample.labels)): sample.value
        for family in snapshot
        for sample in family.samples
    }


async def test_they_say_what_stands_there_now(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_many(session, [NewJob("k", queue="mail"), NewJob("k", queue="mail")])
    found = samples(await read_tables(database))
    assert found["queued_jobs", "mail", "ready"] == 2
    assert 0 <= found["oldest_ready_job_seconds", "mail"] < 60
    assert found["outbox_publications",] == found["oldest_outbox_publication_seconds",] == 0
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'running', lease_owner = gen_random_uuid(), lease_no = 1")
        )
    found = samples(await read_tables(database))
    assert found["queued_jobs", "mail", "running"] == 2
    assert ("queued_jobs", "mail", "ready") not in found
    assert ("oldest_ready_job_seconds", "mail") not in found
