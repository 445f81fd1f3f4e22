"""A message that nobody sends any more is found."""

from uuid import UUID

from sqlalchemy import text

from db.jobs.service import cancel_job
from db.mail import service
from tests.fixtures.jobs import Bench


async def compose(bench: Bench) -> UUID:
    async with bench.database.transaction() as session:
        return await service.compose(
            session, idempotency_key="one", template="t", to_address="a@b.example", subject="s", body_text="b"
        )


async def state(bench: Bench, mail_id: UUID) -> tuple[str, str | None]:
    async with bench.database.transaction() as session:
        mail = await service.get_message(session, mail_id)
        return mail.state, mail.error


async def run(bench: Bench, sql: str) -> None:
    async with bench.database.transaction() as session:
        await session.execute(text(sql))


async def reconcile(bench: Bench) -> int:
    await bench.enqueue("mail.reconcile", {}, queue="solo")
    (job,) = [job for job in await bench.claim() if job.kind == "mail.reconcile"]
    outcome = await bench.run(job)
    await bench.settle(job, outcome)
    return int(outcome.result["orphans"])


async def test_a_message_whose_job_lives_is_left_alone(bench: Bench) -> None:
    await compose(bench)
    assert await reconcile(bench) == 0


async def test_a_message_whose_job_is_over_gets_another(bench: Bench) -> None:
    mail_id = await compose(bench)
    await run(bench, "TRUNCATE jobs.jobs, jobs.queue")
    assert await reconcile(bench) == 1
    assert await reconcile(bench) == 0, "it has one now"
    assert await bench.drain() == []  # claimed by the second look
    await run(bench, "UPDATE jobs.queue SET state = 'ready'")
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert await state(bench, mail_id) == ("captured", None)


async def test_what_was_cancelled_or_is_too_old_is_not_sent(bench: Bench) -> None:
    mail_id = await compose(bench)
    (job,) = await bench.claim()
    await run(bench, "UPDATE jobs.queue SET state = 'ready'")
    async with bench.database.transaction() as session:
        await cancel_job(session, job.id)
    assert await reconcile(bench) == 1
    assert await state(bench, mail_id) == ("failed", "its job was cancelled")
    await run(bench, "UPDATE app.mail_messages SET state = 'queued', job_id = NULL")
    assert await reconcile(bench) == 0, "a process that runs older code may have made it just now"
    await run(bench, "UPDATE app.mail_messages SET created_at = now() - interval '50 hours'")
    assert await reconcile(bench) == 1
    assert (await state(bench, mail_id))[0] == "failed"
    assert await bench.drain() == []


async def test_a_link_that_is_too_late_is_forgotten(bench: Bench) -> None:
    mail_id = await compose(bench)
    await run(bench, "TRUNCATE jobs.jobs, jobs.queue")
    await run(bench, "UPDATE app.mail_messages SET template = 'reset_password'")
    assert await reconcile(bench) == 1
    assert (await state(bench, mail_id))[0] == "failed"
    assert await bench.drain() == []
