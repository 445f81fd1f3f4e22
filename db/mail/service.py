"""Compose mail in a transaction; a job sends it. The development mailbox reads what was captured."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.batches import BATCH, delete_batch
from db.errors import InvalidInput, NotFound
from db.jobs.queue import MAX_KEY_CHARACTERS, NewJob, enqueue_many, new_job_id
from db.jobs.service import is_alive
from db.mail.models import MailMessage
from db.pagination import Page, SortOrder, fetch_page

KIND = "mail.send"
QUEUE = "mail"
MAX_SUBJECT = 200

VERIFY_EMAIL = "verify_email"
RESET_PASSWORD = "reset_password"  # noqa: S105 - a template's name
SECRET_TEMPLATES = frozenset({VERIFY_EMAIL, RESET_PASSWORD})
"""Their bodies hold links that prove who somebody is: forgotten once the message has left, or never will."""

WELCOME = "welcome"
REGISTRATION_REFUSED = "registration_refused"
ADDRESS_NOTICE = "address_notice"
UNASKED = (VERIFY_EMAIL, WELCOME, REGISTRATION_REFUSED, ADDRESS_NOTICE)
"""What anybody can have sent to an address that is not theirs."""

UNASKED_PER_HOUR = 10
"""For one mailbox, whoever has it sent. Nothing else is counted, or strangers could keep notices from an owner."""

FORGOTTEN = "(not kept: this message held a link for its receiver alone)"

GIVE_UP_HOURS = 48
"""A message that nobody could send for so long is not sent any more: it would surprise."""

RECONCILE_BATCH = 500

# A job that was enqueued in the same transaction is seen together with its message. One without a name is of a process
# that runs older code, for as long as a deployment takes.
_ORPHANS = text(
    """
    SELECT m.id, m.user_id, m.template, h.state AS job_state,
           m.created_at < now() - make_interval(hours => :hours) AS too_old
    FROM app.mail_messages m
    LEFT JOIN LATERAL (
        SELECT state FROM jobs.history WHERE id = m.job_id ORDER BY finished_at DESC LIMIT 1
    ) h ON true
    WHERE m.state = 'queued' AND NOT EXISTS (SELECT FROM jobs.jobs j WHERE j.id = m.job_id)
      AND (m.job_id IS NOT NULL OR m.created_at < now() - interval '1 hour')
    ORDER BY m.created_at LIMIT :limit FOR UPDATE OF m SKIP LOCKED
    """
)


class MailNotFound(NotFound):
    """There is no such message in the mailbox."""

    code = "mail_not_found"
    default_message = "There is no such message."


def refuse_control_characters(value: str, field: str) -> str:
    """The value itself, unless it could start a new header line. Raises InvalidInput."""
    if any(ord(character) < 32 or ord(character) in (127, 0x85, 0x2028, 0x2029) for character in value):
        raise InvalidInput("control characters are not allowed in a mail header", field=field)
    return value


async def compose(
    session: AsyncSession,
    *,
    idempotency_key: str,
    template: str,
    to_address: str,
    subject: str,
    body_text: str,
    body_html: str | None = None,
    user_id: UUID | None = None,
) -> UUID:
    """Write a message and enqueue its sending, once per `idempotency_key`. Returns the message's id."""
    refuse_control_characters(to_address, "to_address")
    refuse_control_characters(subject, "subject")
    job_id = new_job_id()
    statement = (
        insert(MailMessage)
        .values(
            job_id=job_id,
            idempotency_key=idempotency_key,
            template=template,
            user_id=user_id,
            to_address=to_address,
            subject=subject[:MAX_SUBJECT],
            body_text=body_text,
            body_html=body_html,
        )
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(MailMessage.id)
    )
    message_id: UUID | None = await session.scalar(statement)
    if message_id is None:
        found = await session.scalar(select(MailMessage.id).where(MailMessage.idempotency_key == idempotency_key))
        if found is None:
            raise MailNotFound
        return found
    await enqueue_many(session, [_sending(message_id, job_id, user_id, template)])
    return message_id


async def has_room(session: AsyncSession, to_address: str) -> bool:
    """Whether a mailbox may get one more message of UNASKED now. Ask right before composing it, in its transaction.

    What follows a `+` belongs to the same mailbox with most providers.
    """
    mailbox = _mailbox(to_address)
    # Until the message is committed: else two could both be the last that is allowed.
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(func.concat("mailbox ", mailbox), 0)))
    )
    recent = select(func.count()).where(
        MailMessage.template.in_(UNASKED),
        MailMessage.created_at > func.clock_timestamp() - timedelta(hours=1),
        _mailbox(MailMessage.to_address) == mailbox,
    )
    return int(await session.scalar(recent) or 0) < UNASKED_PER_HOUR


def _mailbox(address: str | InstrumentedAttribute[str]) -> ColumnElement[str]:
    return func.lower(func.regexp_replace(address, r"\+[^@]*@", "@"))


def _sending(message_id: UUID, job_id: UUID, user_id: UUID | None, template: str) -> NewJob:
    # Templates take turns: a link that somebody waits for does not wait for a mailing.
    key = template[:MAX_KEY_CHARACTERS] or None
    return NewJob(KIND, {"mail_id": str(message_id)}, queue=QUEUE, user_id=user_id, id=job_id, key=key)


async def get_message(session: AsyncSession, message_id: UUID, *, captured_only: bool = False) -> MailMessage:
    """One message. Raises MailNotFound."""
    message = await session.get(MailMessage, message_id)
    if message is None or (captured_only and message.state != "captured"):
        raise MailNotFound
    return message


async def list_captured(
    session: AsyncSession, *, to_address: str | None = None, page: int = 1, limit: int = 20
) -> Page[MailMessage]:
    """The development mailbox, newest first."""
    statement = select(MailMessage).where(MailMessage.state == "captured")
    if to_address:
        statement = statement.where(func.lower(MailMessage.to_address) == to_address.lower())
    order = SortOrder("created_at", (MailMessage.created_at, MailMessage.id), descending=True)
    return await fetch_page(session, statement, order, page=page, limit=limit)


async def begin(session: AsyncSession, message_id: UUID, job_id: UUID) -> MailMessage:
    """The message, for the job that is to send it if it is `queued` and names that job. Raises MailNotFound.

    For another job than its own: one that failed is queued again, because somebody wants it tried once more (unless its
    body is forgotten), and one that waits changes over when its own job has ended.
    """
    message = await session.get(MailMessage, message_id, with_for_update=True)
    if message is None:
        raise MailNotFound
    if message.job_id != job_id and (
        (message.state == "failed" and message.template not in SECRET_TEMPLATES)
        or (message.state == "queued" and not await is_alive(session, message.job_id))
    ):
        message.state, message.error, message.job_id = "queued", None, job_id
        await session.flush()
    return message


async def reconcile(session: AsyncSession, *, limit: int = RECONCILE_BATCH) -> int:
    """Give queued messages whose job has ended another one; what was cancelled, or is too old, failed.

    Their jobs failed for good without a word about the message: what they needed was away for too long, say.
    """
    rows = (await session.execute(_ORPHANS, {"limit": limit, "hours": GIVE_UP_HOURS})).all()
    jobs: list[NewJob] = []
    for row in rows:
        if row.job_state == "cancelled":
            await mark(session, row.id, "failed", error="its job was cancelled")
        elif row.template in SECRET_TEMPLATES:
            await mark(session, row.id, "failed", error="not sent in time: its link would lead nowhere")
        elif row.too_old:
            await mark(session, row.id, "failed", error=f"not sent within {GIVE_UP_HOURS} hours")
        else:
            jobs.append(_sending(row.id, new_job_id(), row.user_id, row.template))
            await session.execute(update(MailMessage).where(MailMessage.id == row.id).values(job_id=jobs[-1].id))
    if jobs:
        await enqueue_many(session, jobs)
    return len(rows)


async def mark(session: AsyncSession, message_id: UUID, state: str, *, error: str | None = None) -> None:
    """Note what became of a message. One with a secret keeps its body in the development mailbox only."""
    sent_at = func.now() if state in ("sent", "captured") else None
    values: dict[str, Any] = {"state": state, "error": error, "sent_at": sent_at}
    if state in ("sent", "failed"):
        secret = MailMessage.template.in_(SECRET_TEMPLATES)
        values["body_text"] = case((secret, FORGOTTEN), else_=MailMessage.body_text)
        values["body_html"] = case((secret, None), else_=MailMessage.body_html)
    await session.execute(
        update(MailMessage)
        .where(MailMessage.id == message_id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def prune(session: AsyncSession, *, older_than_days: int, limit: int = BATCH) -> int:
    """Delete old messages, `limit` at most; returns how many."""
    where = "old.created_at < now() - make_interval(days => :days)"
    return await delete_batch(
        session, "app.mail_messages", where, limit=limit, oldest="created_at", days=older_than_days
    )
