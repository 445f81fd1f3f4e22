"""Conversations and messages."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, String, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.auth.models import User
from db.base import APP, Base, Identified, Timestamped


class Participant(Base):
    """A person in a conversation, and how far they have read."""

    __tablename__ = "conversation_participants"
    __table_args__ = (Index("ix_conversation_participants_user_id", "user_id", "conversation_id"), {"schema": APP})

    conversation_id: Mapped[UUID] = mapped_column(
        ForeignKey("app.conversations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"), primary_key=True)
    joined_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_read_number: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_read_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="raise")


class Conversation(Identified, Timestamped, Base):
    """A place to talk. `message_count` is also the number of its newest message."""

    __tablename__ = "conversations"
    __table_args__ = (
        Index("ix_conversations_last_message_at_id", "last_message_at", "id"),
        Index(
            "ix_conversations_public",
            "created_at",
            postgresql_where=text("is_public AND deleted_at IS NULL"),
        ),
        {"schema": APP},
    )

    org_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.organisations.id", ondelete="SET NULL"), index=True)
    title: Mapped[str] = mapped_column(String(120), server_default=text("''"))
    is_public: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    """Anyone signed in may join."""
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="SET NULL"), index=True)
    message_count: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    last_message_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]

    participants: Mapped[list[Participant]] = relationship(
        lazy="raise", order_by=Participant.joined_at, passive_deletes=True
    )


class Message(Identified, Base):
    """One message. `number` counts from 1 in its conversation, in commit order and without gaps."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("length(body) BETWEEN 1 AND 8000", name="body_length"),
        Index("uq_messages_conversation_id_number", "conversation_id", "number", unique=True),
        Index("ix_messages_outbox_id", "outbox_id", postgresql_where=text("outbox_id IS NOT NULL")),
        {"schema": APP},
    )

    conversation_id: Mapped[UUID] = mapped_column(ForeignKey("app.conversations.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(BigInteger)
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.users.id", ondelete="SET NULL"), index=True)
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)
    """Which row of the outbox published it: leads to its position in the channel's stream."""

    author: Mapped[User | None] = relationship(lazy="raise")
