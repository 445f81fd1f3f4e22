"""How much waits in the queues: for operators, never for decisions."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST_QUEUES = 100
"""Queues are named by kinds and by whoever enqueues: names that nobody knows must not fill anything."""

_DEPTHS = text(
    """
    SELECT queue, state, count(*) AS jobs, greatest(0, extract(epoch FROM now() - min(run_at)))::float8 AS oldest_s
    FROM jobs.queue GROUP BY queue, state ORDER BY jobs DESC, queue, state LIMIT :most
    """
)


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The jobs of one queue in one state: ready, deferred or running."""

    queue: str
    state: str
    jobs: int
    oldest_s: float
    """Seconds since the first of them was due; 0 when none is."""


async def queue_depths(session: AsyncSession) -> list[QueueDepth]:
    """Of each queue and state with jobs. Reads the whole table: a million jobs take some hundred milliseconds."""
    rows = await session.execute(_DEPTHS, {"most": 3 * MOST_QUEUES})
    return [QueueDepth(row.queue, row.state, row.jobs, row.oldest_s) for row in rows]
