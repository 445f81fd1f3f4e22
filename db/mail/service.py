"""Compose mail in a transaction; a job sends it. The development mailbox reads what was captured."""

from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import InvalidInput, NotFound
from db.jobs.queue import enqueue
from db.mail.models import MailMessage
from db.pagination import Page, SortOrder, fetch_page

KIND = "mail.send"
QUEUE = "mail"
MAX_SUBJECT = 200

VERIFY_EMAIL = "verify_email"
RESET_PASSWORD = "reset_password"  # noqa: S105 - a template's name
SECRET_TEMPLATES = frozenset({VERIFY_EMAIL, RESET_PASSWORD})
"""Their bodies hold links that prove who somebody is: forgotten once the message has left, or never will."""

FORGOTTEN = "(not kept: this message held a link for its receiver alone)"


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
    statement = (
        insert(MailMessage)
        .values(
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
    await enqueue(session, KIND, {"mail_id": str(message_id)}, queue=QUEUE, user_id=user_id)
    return message_id


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


async def mark(session: AsyncSession, message_id: UUID, state: str, *, error: str | None = None) -> None:
    """Note what became of a message. One with a secret keeps its body in the development mailbox only."""
    statement = update(MailMessage).where(MailMessage.id == message_id)
    if state in ("sent", "failed"):
        await session.execute(
            statement.where(MailMessage.template.in_(SECRET_TEMPLATES))
            .values(body_text=FORGOTTEN, body_html=None)
            .execution_options(synchronize_session=False)
        )
    sent_at = func.now() if state in ("sent", "captured") else None
    await session.execute(
        statement.values(state=state, error=error, sent_at=sent_at).execution_options(synchronize_session=False)
    )


async def prune(session: AsyncSession, *, older_than_days: int) -> int:
    """Delete old messages; returns how many."""
    result = await session.execute(
        text("DELETE FROM app.mail_messages WHERE created_at < now() - make_interval(days => :days)"),
        {"days": older_than_days},
    )
    return int(getattr(result, "rowcount", 0))
