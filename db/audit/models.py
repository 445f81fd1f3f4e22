"""The audit trail: append-only, the database refuses to change it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import AUDIT, EMPTY_LIST, EMPTY_OBJECT, Base


class UserChange(Base):
    """One change of a row in auth.users, written by trigger. Password hashes are never in it.

    Values are those of the fields that changed; of one longer than 2 KiB there are its `bytes` and `sha256`: this table
    is never pruned, and everybody may write their own `metadata`.
    """

    __tablename__ = "user_changes"
    __table_args__ = (Index("ix_user_changes_user_id_id", "user_id", "id"), {"schema": AUDIT})

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    user_id: Mapped[UUID]
    operation: Mapped[str] = mapped_column(String(10))
    changed_by: Mapped[UUID | None] = mapped_column(index=True)
    changed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    changed_fields: Mapped[list[str]] = mapped_column(server_default=EMPTY_LIST)
    """Names only; `password_hash` appears here when it changed."""
    old_values: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    new_values: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


class AuditEntry(Base):
    """One security-relevant act: a sign-in, a refusal, a revocation, an administrator's action."""

    __tablename__ = "entries"
    __table_args__ = (
        Index("ix_entries_at", "at"),
        Index("ix_entries_actor_id_at", "actor_id", "at"),
        Index("ix_entries_subject", "subject_type", "subject_id"),
        {"schema": AUDIT},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(60))
    subject_type: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str] = mapped_column(Text)
    """Of any length: users of other issuers have their issuer's ids, and a failed login is about what was typed."""
    ip: Mapped[str | None] = mapped_column(String(45))
    request_id: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
