"""Tables of schema `jobs`.

`jobs` holds the request and is written once; `queue` holds what changes while a job waits and runs, narrow and without
arguments, so that its updates stay on the page; `history` takes both when the job ends, in daily partitions that are
dropped to prune. A job is alive exactly while its row in `jobs` exists. There are no foreign keys between them: every
statement writes both halves, and a check per row would be the dearest part of an enqueue.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import Mapped, mapped_column

from db.base import JOBS, Base

_TIMESTAMP = TIMESTAMP(timezone=True)

TRACE_OF_TRANSACTION = "NULLIF(current_setting('app.traceparent'::text, true), ''::text)"
"""Set by `db.session` where the process traces."""


class Job(Base):
    """One durable request, from enqueue to its end."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("uq_jobs_unique_key", "unique_key", unique=True, postgresql_where=text("unique_key IS NOT NULL")),
        {"schema": JOBS},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    unique_key: Mapped[str | None] = mapped_column(Text)
    max_attempts: Mapped[int | None] = mapped_column(SmallInteger)
    user_id: Mapped[UUID | None]
    org_id: Mapped[UUID | None]
    errors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())
    traceparent: Mapped[str | None] = mapped_column(Text, server_default=text(TRACE_OF_TRANSACTION))


class QueueEntry(Base):
    """The hot half of a live job: `state` is ready, deferred (until `run_at`) or running (under a lease)."""

    __tablename__ = "queue"
    __table_args__ = (
        Index(
            "ix_queue_claim",
            *("queue", "priority", "run_at", "id"),
            postgresql_where=text("state = 'ready' AND key IS NULL"),
        ),
        Index(
            "ix_queue_turns",
            *("queue", "key", "priority", "run_at", "id"),
            postgresql_where=text("state = 'ready' AND key IS NOT NULL"),
        ),
        Index("ix_queue_deferred", "run_at", postgresql_where=text("state = 'deferred'")),
        Index("ix_queue_running", "id", postgresql_where=text("state = 'running'")),
        {"schema": JOBS},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    priority: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    run_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())
    attempt: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    spared: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """Attempts that were not counted: what they needed was away, or their agent ended."""
    lease_owner: Mapped[UUID | None]
    lease_no: Mapped[int | None] = mapped_column(BigInteger)
    node: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)
    key: Mapped[str | None] = mapped_column(Text)
    """Whose job it is: the keys of a queue take turns."""


class JobCancellation(Base):
    """Somebody wants a job to stop; the owner deletes the row when it has.

    Not a column of `queue`: a handler that hangs in a transaction holds its lease's row locked, and it above all must
    be possible to cancel.
    """

    __tablename__ = "cancellations"
    __table_args__ = ({"schema": JOBS},)

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    requested_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())


class JobProgress(Base):
    """What a running job last reported; kept across attempts, so that a retry resumes from its checkpoint."""

    __tablename__ = "progress"
    __table_args__ = ({"schema": JOBS},)

    job_id: Mapped[UUID] = mapped_column(primary_key=True)
    progress: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    checkpoint: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    updated_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())


class JobHistory(Base):
    """A job that ended: succeeded, failed or cancelled. Partitioned by day of `finished_at`."""

    __tablename__ = "history"
    __table_args__ = (
        Index("ix_history_finished_at", "finished_at"),
        Index("ix_history_kind", "kind", "id"),
        Index("ix_history_ended_badly", "state", "id", postgresql_where=text("state <> 'succeeded'")),
        {"schema": JOBS, "postgresql_partition_by": "RANGE (finished_at)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    finished_at: Mapped[datetime] = mapped_column(_TIMESTAMP, primary_key=True, server_default=func.now())
    queue: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    args: Mapped[dict[str, Any]] = mapped_column(JSONB)
    priority: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(SmallInteger)
    max_attempts: Mapped[int | None] = mapped_column(SmallInteger)
    user_id: Mapped[UUID | None]
    org_id: Mapped[UUID | None]
    node: Mapped[str | None] = mapped_column(Text)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    errors: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(_TIMESTAMP)
    started_at: Mapped[datetime | None] = mapped_column(_TIMESTAMP)
    key: Mapped[str | None] = mapped_column(Text)


class JobOwner(Base):
    """The fence of a queue shard: only the process whose boot id stands here may write jobs (DESIGN §5, 8 and 15)."""

    __tablename__ = "owners"
    __table_args__ = ({"schema": JOBS},)

    shard: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    boot: Mapped[UUID]
    fence: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    taken_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())


class JobNode(Base):
    """One agent process: identity is (node, boot), never the node's name alone. One update per beat."""

    __tablename__ = "nodes"
    __table_args__ = ({"schema": JOBS},)

    boot: Mapped[UUID] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(Text)
    running: Mapped[int] = mapped_column(server_default=text("0"))
    started_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(_TIMESTAMP, server_default=func.now())


class CronFire(Base):
    """A schedule fired once: whoever inserts the row enqueues the job, in the same transaction."""

    __tablename__ = "cron_fires"
    __table_args__ = (Index("ix_cron_fires_fire_at", "fire_at"), {"schema": JOBS})

    schedule: Mapped[str] = mapped_column(Text, primary_key=True)
    fire_at: Mapped[datetime] = mapped_column(_TIMESTAMP, primary_key=True)
    job_id: Mapped[UUID | None]
