"""Exports and the files that their manifests vouch for."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, Text, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Base

_TIMESTAMP = TIMESTAMP(timezone=True)


class Export(Base):
    """One requested export. `scope` is own or all: which rows the requester was allowed to see when asking.

    State: queued, running, succeeded, failed, cancelled, expired (its files were pruned).
    """

    __tablename__ = "exports"
    __table_args__ = (
        Index("ix_exports_user_id", "user_id", "created_at"),
        Index("ix_exports_expires_at", "expires_at", postgresql_where=text("state = 'succeeded'")),
        {"schema": "app"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("app.new_id()"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.users.id", ondelete="CASCADE"))
    org_id: Mapped[UUID | None]
    dataset: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(Text)
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    scope: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, server_default=text("'queued'"))
    job_id: Mapped[UUID | None]
    part_job_ids: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'::uuid[]"))
    """Jobs that write parts beside its own job; they end with it."""
    rows_done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_total: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None] = mapped_column(Text)
    manifest: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)
    finished_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)
    expires_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)


class ExportPart(Base):
    """A part of a running export that several jobs write. `job_id` has it; written, and done, when it has a `name`.

    `run` is one attempt of the export's own job, and so one snapshot.
    """

    __tablename__ = "export_parts"
    __table_args__ = ({"schema": "app"},)

    export_id: Mapped[UUID] = mapped_column(ForeignKey("app.exports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run: Mapped[str] = mapped_column(Text)
    first_block: Mapped[int] = mapped_column(BigInteger)
    end_block: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[UUID | None]
    name: Mapped[str | None] = mapped_column(Text)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(Text)


class ExportFile(Base):
    """One file of a finished export, as its manifest lists it."""

    __tablename__ = "export_files"
    __table_args__ = (UniqueConstraint("export_id", "name"), {"schema": "app"})

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("app.new_id()"))
    export_id: Mapped[UUID] = mapped_column(ForeignKey("app.exports.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    rows: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(Text)
