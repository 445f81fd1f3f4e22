"""Mail reaches a server that speaks SMTP, or the development mailbox."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from cluster.services.ports import free_port
from cluster.settings import Settings
from db.jobs.service import retry_job
from db.mail import service
from db.mail.models import MailMessage
from db.session import Database
from tasks.runner import JobRunner
from tests.fixtures.jobs import Bench
from tests.fixtures.smtp import MailServer, mail_server


@pytest.fixture
async def smtp(bench: Bench, settings: Settings) -> AsyncIterator[MailServer]:
    async with mail_server() as server:
        update = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none"}
        bench.settings = settings.model_copy(update=update)
        bench.runner = JobRunner(bench.settings, bench.database)
        yield server


async def compose(database: Database, **values: Any) -> UUID:
    given = {
        "idempotency_key": "one",
        "template": "welcome",
        "to_address": "ada@example.org",
        "subject": "Grüße",
        "body_text": "Hello\n.\nend",
        "body_html": "<p>Hello</p>",
    }
    async with database.transaction() as session:
        return await service.compose(session, **(given | values))


async def message(database: Database, mail_id: UUID) -> MailMessage:
    async with database.transaction() as session:
        return await service.get_message(session, mail_id)


async def test_without_a_server_it_is_captured(bench: Bench) -> None:
    mail_id = await compose(bench.database)
    assert await bench.drain() == [("mail.send", "succeeded")]
    captured = await message(bench.database, mail_id)
    assert captured.state == "captured"
    assert captured.sent_at is not None


async def test_a_server_gets_both_bodies_unharmed(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert (await message(bench.database, mail_id)).state == "sent"
    ((sender, recipients),) = smtp.envelopes
    assert (sender, recipients) == ("no-reply@mobula.localhost", ["ada@example.org"])
    (received,) = smtp.messages
    assert received["Subject"] == "Grüße"
    text, html = received.iter_parts()  # type: ignore[attr-defined]
    assert text.get_content().splitlines() == ["Hello", ".", "end"]
    assert html.get_content_type() == "text/html"


async def test_composing_twice_sends_once(bench: Bench, smtp: MailServer) -> None:
    assert await compose(bench.database) == await compose(bench.database)
    await bench.drain()
    assert len(smtp.messages) == 1


async def test_a_job_that_runs_again_does_not_send_again(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    await bench.drain()
    await bench.enqueue("mail.send", {"mail_id": str(mail_id)})
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert len(smtp.messages) == 1


async def test_a_crash_before_the_answer_sends_the_same_mail_again_under_the_same_id(
    bench: Bench, smtp: MailServer
) -> None:
    mail_id = await compose(bench.database)
    smtp.drop_before_answer = True
    assert await bench.drain() == [("mail.send", "failed")]
    assert (await message(bench.database, mail_id)).state == "queued"
    smtp.drop_before_answer = False
    assert await bench.drain(time_passes=True) == [("mail.send", "succeeded")]
    assert {received["Message-ID"] for received in smtp.messages} == {f"<{mail_id}@mobula.localhost>"}
    assert (await message(bench.database, mail_id)).state == "sent"


async def test_a_refusal_for_now_is_tried_again(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    smtp.recipient_answer = b"451 greylisted"
    assert await bench.drain() == [("mail.send", "failed")]
    assert (await message(bench.database, mail_id)).state == "queued"
    smtp.recipient_answer = b"250 ok"
    assert await bench.drain(time_passes=True) == [("mail.send", "succeeded")]


@pytest.mark.parametrize(
    ("where", "code"), [("recipient_answer", b"550"), ("data_answer", b"550"), ("sender_answer", b"552")]
)
async def test_a_refusal_for_ever_is_final(bench: Bench, smtp: MailServer, where: str, code: bytes) -> None:
    mail_id = await compose(bench.database)
    setattr(smtp, where, code + b" nobody here")
    assert await bench.drain(time_passes=True) == [("mail.send", "refused")]
    failed = await message(bench.database, mail_id)
    assert failed.state == "failed"
    assert "nobody here" in (failed.error or "")


WRONG_PASSWORD = b"535 5.7.8 the password is wrong"


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("auth_answer", WRONG_PASSWORD),
        ("greeting", b"554 5.7.1 no service for your address"),
        ("hello_answer", b"550 who are you"),
        ("sender_answer", b"530 5.7.0 sign in first"),
        ("sender_answer", b"550 5.1.8 that sender's domain does not exist"),
        ("sender_answer", b"451 come back later"),
        ("recipient_answer", b"530 5.7.0 sign in first"),
        ("recipient_answer", b"554 5.7.1 <ada@example.org>: Relay access denied"),
        ("data_answer", b"421 4.3.2 shutting down"),
    ],
)
async def test_a_server_that_refuses_us_loses_no_message_and_no_attempt(
    bench: Bench, smtp: MailServer, where: str, answer: bytes
) -> None:
    mail_id = await compose(bench.database, template="reset_password", body_text="https://shop.test/#secret")
    bench.settings = bench.settings.model_copy(update={"smtp_user": "us", "smtp_password": SecretStr("old")})
    bench.runner = JobRunner(bench.settings, bench.database)
    good = getattr(smtp, where)
    setattr(smtp, where, answer)
    for _ in range(12):  # more often than a message may fail
        await bench.make_due()
        (job,) = await bench.claim()
        assert job.attempt == 1
        outcome = await bench.run(job)
        assert outcome.state == "unavailable"
        assert (outcome.error or "").startswith("mail_server_unavailable: ")
        await bench.settle(job, outcome)
    waiting = await message(bench.database, mail_id)
    assert (waiting.state, waiting.body_text) == ("queued", "https://shop.test/#secret")
    setattr(smtp, where, good)
    assert await bench.drain(time_passes=True) == [("mail.send", "succeeded")]
    assert "#secret" in str(smtp.messages[0])


async def test_a_server_that_is_not_there_is_waited_for(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    for change in ({"smtp_port": free_port()}, {"smtp_tls": "starttls"}, {"smtp_tls": "tls"}):
        runner = JobRunner(bench.settings.model_copy(update=change), bench.database)
        bench.runner = runner
        await bench.make_due()
        (job,) = await bench.claim()
        outcome = await bench.run(job)
        assert (job.attempt, outcome.state) == (1, "unavailable"), change
        await bench.settle(job, outcome)
    assert (await message(bench.database, mail_id)).state == "queued"


async def test_the_last_attempt_says_that_it_failed(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    smtp.data_answer = b"452 full"
    ends = await bench.drain(time_passes=True)
    assert [state for _, state in ends] == ["failed"] * 9 + ["refused"]
    assert (await message(bench.database, mail_id)).state == "failed"


async def test_a_link_that_has_left_is_not_kept(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database, template="reset_password", body_text="https://shop.test/#secret")
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert "#secret" in str(smtp.messages[0])
    kept = await message(bench.database, mail_id)
    assert (kept.state, kept.body_text, kept.body_html) == ("sent", service.FORGOTTEN, None)


async def test_the_development_mailbox_keeps_it_and_other_mail_is_kept(bench: Bench) -> None:
    mail_id = await compose(bench.database, template="reset_password", body_text="https://shop.test/#secret")
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert "#secret" in (await message(bench.database, mail_id)).body_text


@pytest.mark.parametrize("change", [{"mail_off": True}, {"smtp_host": ""}])
async def test_production_without_mail_keeps_no_link_and_says_that_nothing_was_sent(
    bench: Bench, smtp: MailServer, change: dict[str, Any]
) -> None:
    mail_id = await compose(bench.database, template="reset_password", body_text="https://shop.test/#secret")
    settings = bench.settings.model_copy(update={"environment": "production", **change})
    bench.runner = JobRunner(settings, bench.database)
    assert await bench.drain() == [("mail.send", "succeeded")]
    kept = await message(bench.database, mail_id)
    assert (kept.state, kept.body_text, kept.body_html) == ("failed", service.FORGOTTEN, None)
    assert "MAIL_OFF" in (kept.error or "")
    assert smtp.messages == []


async def test_elsewhere_mail_that_is_off_is_captured_whatever_server_there_is(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    bench.runner = JobRunner(bench.settings.model_copy(update={"mail_off": True}), bench.database)
    assert await bench.drain() == [("mail.send", "succeeded")]
    assert (await message(bench.database, mail_id)).state == "captured"
    assert smtp.messages == []


async def test_an_operator_s_retry_of_a_failed_message_sends_it(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    smtp.recipient_answer = b"550 nobody here"
    (job,) = await bench.claim()
    await bench.settle(job, await bench.run(job))
    smtp.recipient_answer = b"250 ok"
    async with bench.database.transaction() as session:
        again = await retry_job(session, job.id)
    assert await bench.drain() == [("mail.send", "succeeded")]
    sent = await message(bench.database, mail_id)
    assert (sent.state, sent.error, sent.job_id) == ("sent", None, again.id)
    assert len(smtp.messages) == 1


async def test_an_operator_s_retry_does_not_send_what_is_forgotten(bench: Bench, smtp: MailServer) -> None:
    await compose(bench.database, template="reset_password")
    smtp.recipient_answer = b"550 nobody here"
    (job,) = await bench.claim()
    await bench.settle(job, await bench.run(job))
    smtp.recipient_answer = b"250 ok"
    async with bench.database.transaction() as session:
        await retry_job(session, job.id)
    await bench.drain()
    assert smtp.messages == []


async def test_the_same_job_again_does_not_retry_what_was_refused(bench: Bench, smtp: MailServer) -> None:
    """Rescued after it had noted the refusal, before its end was heard."""
    await compose(bench.database)
    smtp.recipient_answer = b"550 nobody here"
    (job,) = await bench.claim()
    assert (await bench.run(job)).state == "refused"
    smtp.recipient_answer = b"250 ok"
    assert (await bench.run(job)).state == "succeeded"
    assert smtp.messages == []


async def test_two_jobs_never_send_one_message(bench: Bench, smtp: MailServer) -> None:
    mail_id = await compose(bench.database)
    await bench.enqueue("mail.send", {"mail_id": str(mail_id)})
    assert sorted(await bench.drain()) == [("mail.send", "refused"), ("mail.send", "succeeded")]
    assert len(smtp.messages) == 1
