"""Outbound mail as rows."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from db.errors import InvalidInput
from db.mail import service
from db.session import Database


async def compose(database: Database, key: str = "k", **values: Any) -> UUID:
    given = {"template": "t", "to_address": "Ada@Example.org", "subject": "s", "body_text": "b"} | values
    async with database.transaction() as session:
        return await service.compose(session, idempotency_key=key, **given)


async def test_one_message_and_one_job_per_key(database: Database) -> None:
    first = await compose(database)
    assert await compose(database, subject="another") == first
    assert await compose(database, "other") != first
    async with database.transaction() as session:
        jobs = (
            await session.execute(text("SELECT args->>'mail_id' FROM jobs.jobs WHERE kind = 'mail.send'"))
        ).scalars()
        assert str(first) in list(jobs)
        assert await session.scalar(text("SELECT count(*) FROM jobs.jobs")) == 2


async def test_templates_take_turns_so_that_a_link_does_not_wait_for_a_mailing(database: Database) -> None:
    await compose(database, "1", template="newsletter")
    await compose(database, "2", template=service.RESET_PASSWORD)
    async with database.transaction() as session:
        keys = (await session.execute(text("SELECT key FROM jobs.queue ORDER BY id"))).scalars()
        assert list(keys) == ["newsletter", "reset_password"]


@pytest.mark.parametrize("field", ["to_address", "subject"])
async def test_a_header_value_with_a_line_break_is_refused(database: Database, field: str) -> None:
    with pytest.raises(InvalidInput):
        await compose(database, **{field: "x\r\nBcc: y@example.org"})


async def test_the_mailbox_shows_what_was_captured_newest_first(database: Database) -> None:
    ids = [await compose(database, str(n), to_address=f"user{n % 2}@example.org") for n in range(3)]
    async with database.transaction() as session:
        for mail_id in ids[:2]:
            await service.mark(session, mail_id, "captured")
        await service.mark(session, ids[2], "sent")
    async with database.transaction() as session:
        page = await service.list_captured(session)
        assert ([mail.id for mail in page.items], page.total) == ([ids[1], ids[0]], 2)
        assert [mail.id for mail in (await service.list_captured(session, to_address="USER1@example.org")).items] == [
            ids[1]
        ]
        assert (await service.get_message(session, ids[0], captured_only=True)).sent_at is not None
        for missing in (ids[2], uuid4()):
            with pytest.raises(service.MailNotFound):
                await service.get_message(session, missing, captured_only=True)


async def test_old_mail_is_pruned(database: Database) -> None:
    old = await compose(database, "old")
    await compose(database, "new")
    async with database.transaction() as session:
        await session.execute(
            text("UPDATE app.mail_messages SET created_at = now() - interval '31 days' WHERE id = :i"), {"i": old}
        )
        assert await service.prune(session, older_than_days=30) == 1
