"""Notices."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, EMPTY_OBJECT, Base, Identified


class Notification(Identified, Base):
    """Something that a person should know. `kind` tells a front end how to show it."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index("ix_notifications_created_at", "created_at"),
        Index("ix_notifications_user_id_created_at_id", "user_id", "created_at", "id"),
        Index(
            "uq_notifications_user_id_collapse_key_unread",
            "user_id",
            "collapse_key",
            unique=True,
            postgresql_where=text("read_at IS NULL AND collapse_key IS NOT NULL"),
        ),
        Index("ix_notifications_user_id_unread", "user_id", postgresql_where=text("read_at IS NULL")),
        {"schema": APP},
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    title: Mapped[str] = mapped_column(String(160))
    body: Mapped[str] = mapped_column(server_default=text("''"))
    data: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    collapse_key: Mapped[str | None] = mapped_column(String(120))
    """A newer notice under the same key replaces an unread one: ten messages of one conversation are one notice."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    read_at: Mapped[datetime | None]
