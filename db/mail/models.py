"""Outbound mail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, Text, func, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base

_TIMESTAMP = TIMESTAMP(timezone=True)


class MailMessage(Base):
    """One message. State: queued, sent (an SMTP server took it), captured (development mailbox), failed.

    `idempotency_key` is unique: composing the same message twice makes one row and one job.
    """

    __tablename__ = "mail_messages"
    __table_args__ = (
        Index("uq_mail_messages_idempotency_key", "idempotency_key", unique=True),
        Index("ix_mail_messages_created_at", "created_at"),
        Index("ix_mail_messages_template_created_at", "template", "created_at"),
        Index("ix_mail_messages_queued", "created_at", postgresql_where=text("state = 'queued'")),
        {"schema": "app"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("app.new_id()"))
    idempotency_key: Mapped[str] = mapped_column(Text)
    template: Mapped[str] = mapped_column(Text)
    user_id: Mapped[UUID | None]
    to_address: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    body_text: Mapped[str] = mapped_column(Text)
    body_html: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=text("'queued'"))
    job_id: Mapped[UUID | None]
    """The job that sends it, or that did."""
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())
    sent_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)
