"""Enqueue: the row that makes background work happen, written in the transaction that wants it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from secrets import randbits
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.effects import JobsEnqueued
from db.session import record_effect

DEFAULT_QUEUE = "default"

_SQL = text(
    """
    WITH given AS (
        SELECT * FROM unnest(
            CAST(:ids AS uuid[]), CAST(:queues AS text[]), CAST(:kinds AS text[]), CAST(:args AS text[]),
            CAST(:priorities AS smallint[]), CAST(:run_ats AS timestamptz[]), CAST(:unique_keys AS text[]),
            CAST(:max_attempts AS smallint[]), CAST(:user_ids AS uuid[]), CAST(:org_ids AS uuid[]),
            CAST(:keys AS text[])
        ) AS g(id, queue, kind, args, priority, run_at, unique_key, max_attempts, user_id, org_id, key)
    ), made AS (
        INSERT INTO jobs.jobs (id, queue, kind, args, priority, unique_key, max_attempts, user_id, org_id)
        SELECT id, queue, kind, args::jsonb, priority, unique_key, max_attempts, user_id, org_id FROM given
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING
        RETURNING id
    )
    INSERT INTO jobs.queue (id, queue, state, priority, run_at, key)
    SELECT g.id, g.queue, CASE WHEN g.run_at > now() THEN 'deferred' ELSE 'ready' END, g.priority,
           coalesce(g.run_at, now()), g.key
    FROM given g JOIN made USING (id)
    RETURNING id
    """
)
_BY_KEY = text("SELECT id, unique_key FROM jobs.jobs WHERE unique_key = ANY(CAST(:keys AS text[]))")

MAX_KEY_CHARACTERS = 200

UNIQUE_ATTEMPTS = 5
"""A holder of the same unique key may finish between our insert and our look-up; then the insert is tried again."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """One job to enqueue.

    `key` says whose it is (a user, a tenant, a resource): the keys of a queue take turns, and its policy may bound each
    of them. `unique_key` is something else: while a job with the same one is alive, no second one is made.
    """

    kind: str
    args: Mapping[str, Any] = field(default_factory=dict)
    queue: str = DEFAULT_QUEUE
    priority: int = 0
    run_at: datetime | None = None
    unique_key: str | None = None
    max_attempts: int | None = None
    user_id: UUID | None = None
    org_id: UUID | None = None
    id: UUID | None = None
    """From `new_job_id`, for who must know it beforehand."""
    key: str | None = None

    def __post_init__(self) -> None:
        if not self.queue:
            raise ValueError("a queue has a name")
        if self.key is not None and not 0 < len(self.key) <= MAX_KEY_CHARACTERS:
            raise ValueError(f"a job's key has 1 to {MAX_KEY_CHARACTERS} characters")


_last_tick = 0


def new_job_id() -> UUID:
    """A version 7 UUID, growing within this process: jobs of one transaction run in the order they were enqueued in."""
    global _last_tick
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    _last_tick = max(_last_tick + 1, milliseconds << 12 | (rest << 12) // 1_000_000)
    return UUID(int=_last_tick >> 12 << 80 | 0x7 << 76 | (_last_tick & 0xFFF) << 64 | 0b10 << 62 | randbits(62))


async def enqueue(
    session: AsyncSession,
    kind: str,
    args: Mapping[str, Any],
    *,
    queue: str = DEFAULT_QUEUE,
    priority: int = 0,
    run_at: datetime | None = None,
    unique_key: str | None = None,
    max_attempts: int | None = None,
    user_id: UUID | None = None,
    org_id: UUID | None = None,
    key: str | None = None,
) -> UUID:
    """Enqueue one job and return its id; with a `unique_key` that is taken, the id of the job that holds it.

    The keys of a queue take turns; among the jobs of one `key`, or without one, smaller `priority` runs first.
    `max_attempts` None leaves it to the kind. Workers hear of it after the commit.
    """
    job = NewJob(
        kind=kind,
        args=args,
        queue=queue,
        priority=priority,
        run_at=run_at,
        unique_key=unique_key,
        max_attempts=max_attempts,
        user_id=user_id,
        org_id=org_id,
        key=key,
    )
    return (await enqueue_many(session, [job]))[0]


async def enqueue_many(session: AsyncSession, jobs: Sequence[NewJob]) -> list[UUID]:
    """Enqueue any number of jobs in one statement. Ids come back in the order of `jobs`."""
    ids = [job.id or new_job_id() for job in jobs]
    pending = dict(zip(ids, jobs, strict=True))
    replaced: dict[UUID, UUID] = {}
    for _ in range(UNIQUE_ATTEMPTS):
        made = await _insert(session, pending)
        pending = {job_id: job for job_id, job in pending.items() if job_id not in made}
        if not pending:
            break
        keys = [job.unique_key for job in pending.values()]
        holders = {row.unique_key: row.id for row in await session.execute(_BY_KEY, {"keys": keys})}
        replaced.update({i: holders[job.unique_key] for i, job in pending.items() if job.unique_key in holders})
        pending = {job_id: job for job_id, job in pending.items() if job_id not in replaced}
        if not pending:
            break
    else:
        raise RuntimeError("a unique job key changed hands repeatedly; try again")
    if len(replaced) < len(ids):
        record_effect(
            session,
            JobsEnqueued(
                queues=tuple(sorted({job.queue for job in jobs if job.key is None})),
                keys=tuple(sorted({(job.queue, job.key) for job in jobs if job.key is not None})),
                look=any(job.run_at is not None for job in jobs),
            ),
        )
    return [replaced.get(job_id, job_id) for job_id in ids]


async def _insert(session: AsyncSession, jobs: Mapping[UUID, NewJob]) -> set[UUID]:
    values = jobs.values()
    result = await session.execute(
        _SQL,
        {
            "ids": list(jobs),
            "queues": [job.queue for job in values],
            "kinds": [job.kind for job in values],
            "args": [orjson.dumps(dict(job.args), default=str).decode() for job in values],
            "priorities": [job.priority for job in values],
            "run_ats": [job.run_at for job in values],
            "unique_keys": [job.unique_key for job in values],
            "max_attempts": [job.max_attempts for job in values],
            "user_ids": [job.user_id for job in values],
            "org_ids": [job.org_id for job in values],
            "keys": [job.key for job in values],
        },
    )
    return {row.id for row in result}
