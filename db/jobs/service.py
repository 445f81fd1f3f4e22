"""Look at jobs, cancel them and run failed ones again."""
# ruff: noqa: S608 - statements are put together from constants of this module only

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.effects import JobsEnqueued
from db.errors import InvalidInput
from db.jobs.errors import JobFinished, JobNotFound, JobNotRetryable
from db.jobs.queue import enqueue
from db.pagination import Page, check_limit
from db.session import record_effect

LIVE_STATES = ("ready", "deferred", "running")
ENDED_STATES = ("succeeded", "failed", "cancelled")
STATES = LIVE_STATES + ENDED_STATES

MAX_OFFSET = 10_000
"""Postgres reads and throws away everything before an offset."""

_COLUMNS = """
    id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node, result, errors, progress,
    run_at, created_at, started_at, finished_at, cancel_requested, key
"""
_LIVE = """
    SELECT j.id, j.queue, j.kind, j.args, q.priority, q.state, q.attempt, j.max_attempts, j.user_id, j.org_id, q.node,
           NULL::jsonb AS result, j.errors, p.progress, q.run_at, j.created_at, q.started_at,
           NULL::timestamptz AS finished_at,
           EXISTS (SELECT FROM jobs.cancellations c WHERE c.job_id = j.id) AS cancel_requested, q.key
    FROM jobs.jobs j JOIN jobs.queue q USING (id) LEFT JOIN jobs.progress p ON p.job_id = j.id
"""
_ENDED = """
    SELECT h.id, h.queue, h.kind, h.args, h.priority, h.state, h.attempt, h.max_attempts, h.user_id, h.org_id, h.node,
           h.result, h.errors, NULL::jsonb AS progress, NULL::timestamptz AS run_at, h.created_at, h.started_at,
           h.finished_at, false AS cancel_requested, h.key
    FROM jobs.history h
"""
_ONE = text(
    f"SELECT * FROM ({_LIVE} UNION ALL {_ENDED}) AS jobs WHERE id = :id ORDER BY finished_at NULLS FIRST LIMIT 1"
)

_CANCEL_WAITING = text(
    """
    WITH gone AS (DELETE FROM jobs.queue WHERE id = :id AND state IN ('ready', 'deferred') RETURNING *),
    paid AS (DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id RETURNING j.*),
    forgotten AS (DELETE FROM jobs.progress p USING gone g WHERE p.job_id = g.id)
    INSERT INTO jobs.history (id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node,
                              result, errors, created_at, started_at, key)
    SELECT p.id, p.queue, p.kind, p.args, g.priority, 'cancelled', g.attempt, p.max_attempts, p.user_id, p.org_id,
           g.node, NULL, p.errors, p.created_at, g.started_at, g.key
    FROM gone g JOIN paid p USING (id)
    RETURNING id
    """
)
# Locks nothing that the handler may hold. A job that was given back meanwhile is the owner's to end, too.
_CANCEL_RUNNING = text(
    """
    WITH alive AS (SELECT id FROM jobs.queue WHERE id = :id),
    asked AS (INSERT INTO jobs.cancellations (job_id) SELECT id FROM alive ON CONFLICT DO NOTHING)
    SELECT id FROM alive
    """
)
_COUNTS = text("SELECT state, count(*) AS n FROM jobs.queue GROUP BY state")
_ALIVE = text("SELECT 1 FROM jobs.jobs WHERE id = :id")
_PROGRESS = text("SELECT progress FROM jobs.progress WHERE job_id = :id")


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as operators see it, alive or ended."""

    id: UUID
    queue: str
    kind: str
    args: dict[str, Any]
    priority: int
    state: str
    attempt: int
    max_attempts: int | None
    user_id: UUID | None
    org_id: UUID | None
    node: str | None
    result: dict[str, Any] | None
    errors: list[dict[str, Any]]
    progress: dict[str, Any] | None
    run_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    key: str | None


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many jobs are alive, by state."""

    ready: int
    deferred: int
    running: int


async def list_jobs(
    session: AsyncSession,
    *,
    state: str | None = None,
    kind: str | None = None,
    queue: str | None = None,
    page: int = 1,
    limit: int = 20,
) -> Page[JobView]:
    """Live and ended jobs, newest first. `total` counts at most `MAX_OFFSET` of each: pages reach no further."""
    check_limit(limit)
    offset = (page - 1) * limit
    if page < 1 or offset > MAX_OFFSET:
        raise InvalidInput(f"page is at least 1 and reaches {MAX_OFFSET} rows", field="page")
    if state is not None and state not in STATES:
        raise InvalidInput(f"state is one of {', '.join(STATES)}", field="state")
    given = {name: value for name, value in (("state", state), ("kind", kind), ("queue", queue)) if value is not None}
    sources = _sources(tuple(given))
    counted = [f"SELECT count(*) AS n FROM (SELECT 1 FROM {source} LIMIT {MAX_OFFSET}) AS c" for source in sources]
    total = int(await session.scalar(text(f"SELECT sum(n) FROM ({' UNION ALL '.join(counted)}) AS counts"), given) or 0)
    # The page cannot need more jobs of either kind than it and all pages before it hold: `reach`. Both are taken in the
    # order of the page, ids grow with time, or pages would leave jobs out and repeat others.
    newest = [f"(SELECT {_COLUMNS} FROM {source} ORDER BY id DESC LIMIT :reach)" for source in sources]
    statement = f"""
        SELECT * FROM ({" UNION ALL ".join(newest)}) AS jobs ORDER BY id DESC LIMIT :limit OFFSET :offset
    """
    rows = await session.execute(text(statement), {**given, "limit": limit, "offset": offset, "reach": offset + limit})
    return Page([_view(row) for row in rows], total, page, limit)


def _sources(filters: Sequence[str]) -> tuple[str, str]:
    """FROM clauses of live and ended jobs.

    A filter that is not given must not be in the statement: with `x IS NULL OR x = y` no plan can use an index.
    """
    where = " AND ".join(f"{name} = :{name}" for name in filters) or "true"
    return f"({_LIVE}) AS live WHERE {where}", f"({_ENDED}) AS ended WHERE {where}"


async def get_job(session: AsyncSession, job_id: UUID) -> JobView:
    """One job. Raises JobNotFound."""
    row = (await session.execute(_ONE, {"id": job_id})).first()
    if row is None:
        raise JobNotFound
    return _view(row)


async def is_alive(session: AsyncSession, job_id: UUID | None) -> bool:
    """Whether a job waits or runs."""
    return await session.scalar(_ALIVE, {"id": job_id}) is not None


async def get_progress(session: AsyncSession, job_id: UUID) -> dict[str, Any] | None:
    """What the running job last reported."""
    progress: dict[str, Any] | None = await session.scalar(_PROGRESS, {"id": job_id})
    return progress


async def cancel_job(session: AsyncSession, job_id: UUID) -> JobView:
    """End a waiting job, or ask a running one to stop. Waits for no handler. Raises JobNotFound, JobFinished."""
    if (await session.execute(_CANCEL_WAITING, {"id": job_id})).first() is None:
        if await session.scalar(_CANCEL_RUNNING, {"id": job_id}) is None:
            job = await get_job(session, job_id)
            raise JobFinished(f"The job has already ended: {job.state}.")
        record_effect(session, JobsEnqueued(look=True))  # the owner learns of it at once
    return await get_job(session, job_id)


async def retry_job(session: AsyncSession, job_id: UUID) -> JobView:
    """Enqueue a failed or cancelled job's request anew, as a new job. Raises JobNotFound, JobNotRetryable.

    While that one is alive, retrying the same job again answers with it: asking twice is no wish for two runs.
    """
    job = await get_job(session, job_id)
    if job.state not in ("failed", "cancelled"):
        raise JobNotRetryable
    made = await enqueue(
        session,
        job.kind,
        job.args,
        queue=job.queue,
        priority=job.priority,
        unique_key=f"retry:{job_id}",
        max_attempts=job.max_attempts,
        user_id=job.user_id,
        org_id=job.org_id,
        key=job.key,
    )
    return await get_job(session, made)


async def count_jobs(session: AsyncSession) -> JobCounts:
    """Figures for the dashboard."""
    counts = {row.state: int(row.n) for row in await session.execute(_COUNTS)}
    return JobCounts(counts.get("ready", 0), counts.get("deferred", 0), counts.get("running", 0))


def _view(row: Any) -> JobView:
    fields: Sequence[str] = tuple(JobView.__dataclass_fields__)
    return JobView(**{name: getattr(row, name) for name in fields})
