"""Bring session events to their handlers: each handler has a position, and moves it with what it does."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH
from db.jobs.queue import enqueue

DELIVER_KIND = "session_events.deliver"
"""The job that brings events to their handlers (tasks/session_events)."""

QUEUE = "session_events"

KEPT_HOURS = 1
"""Events that every handler has seen stay this long: a new handler begins with them."""

KEPT_DAYS = 7
"""Whatever is older goes, seen or not: a handler that fails for a week must not fill the disk."""

_RELEASE = text("UPDATE jobs.jobs SET unique_key = NULL WHERE id = :job_id")
_HOLDERS = text("SELECT unique_key FROM jobs.jobs WHERE unique_key = ANY(CAST(:keys AS text[]))")
_TAKE = text("UPDATE jobs.jobs SET unique_key = :key WHERE id = :job_id")
_REGISTER = text(
    "INSERT INTO app.session_event_handlers (name) SELECT unnest(CAST(:names AS text[])) ON CONFLICT DO NOTHING"
)
_LOCK = text("SELECT position FROM app.session_event_handlers WHERE name = :name FOR UPDATE SKIP LOCKED")
_AFTER = text(
    """
    SELECT position AS id, kind, client, user_id AS user, session, channel, hub, code, occurred_at
    FROM app.session_events WHERE position > :position ORDER BY position LIMIT :limit
    """
)
_ADVANCE = text(
    """
    UPDATE app.session_event_handlers SET position = :position, failures = 0, error = NULL, updated_at = now()
    WHERE name = :name
    """
)
_FAILED = text(
    """
    UPDATE app.session_event_handlers SET failures = failures + 1, error = :error, updated_at = now()
    WHERE name = :name
    """
)
_PRUNE = text(
    """
    WITH seen AS (SELECT min(position) AS position FROM app.session_event_handlers), old AS (
        (SELECT e.position FROM app.session_events e, seen
         WHERE e.occurred_at < now() - make_interval(hours => :hours)
           AND (seen.position IS NULL OR e.position <= seen.position)
         ORDER BY e.occurred_at LIMIT :limit)
        UNION
        (SELECT position FROM app.session_events WHERE occurred_at < now() - make_interval(days => :days)
         ORDER BY occurred_at LIMIT :limit)
    )
    DELETE FROM app.session_events e USING old WHERE e.position = old.position
    RETURNING 1
    """
)


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """What happened to a connection or a channel.

    `id` grows in commit order and is the same at every delivery. `channel` is empty for connected and disconnected,
    `code` is the close code of disconnected (0: the socket was lost). `occurred_at` is the hub's clock; for the leaves
    of a hub that died, the moment at which that was found out.
    """

    id: int
    kind: str
    client: str
    user: str
    session: str
    channel: str
    hub: str
    code: int
    occurred_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Fields as JSON can hold them: arguments of a job, rows of analytics."""
        return {**asdict(self), "occurred_at": self.occurred_at.isoformat()}


async def release_key(session: AsyncSession, job_id: UUID) -> None:
    """Let events that are committed from now on make another job: this one may have read before them."""
    await session.execute(_RELEASE, {"job_id": job_id})


def key_of(name: str = "") -> str:
    """The key of the one job that waits to bring events to everybody, or to a handler that failed."""
    return f"{DELIVER_KIND}:{name}" if name else DELIVER_KIND


async def take_key(session: AsyncSession, job_id: UUID, key: str) -> bool:
    """Take a key that was given up. False: another job has it, which has not looked yet and so will do everything."""
    try:
        async with session.begin_nested():
            await session.execute(_TAKE, {"job_id": job_id, "key": key})
    except IntegrityError:
        return False
    return True


async def waiting_for(session: AsyncSession, names: Iterable[str]) -> set[str]:
    """Which of these handlers have failed, and wait for their next turn in a job of their own."""
    keys = {key_of(name): name for name in names}
    return {keys[key] for key in (await session.scalars(_HOLDERS, {"keys": sorted(keys)}))}


async def try_later(session: AsyncSession, name: str, delay_s: float) -> None:
    """Make the job of a handler that failed: its pauses are nobody else's."""
    run_at = datetime.now(UTC) + timedelta(seconds=delay_s)
    await enqueue(session, DELIVER_KIND, {"handler": name}, queue=QUEUE, unique_key=key_of(name), run_at=run_at)


async def register_handlers(session: AsyncSession, names: Iterable[str]) -> None:
    """Make handlers known. A new one begins with the oldest event that is still kept."""
    await session.execute(_REGISTER, {"names": sorted(names)})


async def lock_handler(session: AsyncSession, name: str) -> int | None:
    """The handler's position, locked until the transaction ends; None: somebody else is at it."""
    position: int | None = await session.scalar(_LOCK, {"name": name})
    return position


async def after(session: AsyncSession, position: int, *, limit: int) -> Sequence[SessionEvent]:
    """The next events in order."""
    rows = await session.execute(_AFTER, {"position": position, "limit": limit})
    return [SessionEvent(**row._mapping) for row in rows]


async def advance(session: AsyncSession, name: str, position: int) -> None:
    """The handler has handled everything up to there: true if, and only if, this transaction commits."""
    await session.execute(_ADVANCE, {"name": name, "position": position})


async def note_failure(session: AsyncSession, name: str, error: str) -> None:
    """Remember why a handler stands still, for those who look."""
    await session.execute(_FAILED, {"name": name, "error": error})


async def prune(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Remove events that are over, about `limit` at most. Returns how many."""
    gone = await session.execute(_PRUNE, {"hours": KEPT_HOURS, "days": KEPT_DAYS, "limit": limit})
    return len(gone.all())
