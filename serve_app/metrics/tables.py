"""What `/metrics` reads from tables, when it is asked."""

from sqlalchemy import text

from actors.metrics.registry import (
    OLDEST_OUTBOX_PUBLICATION,
    OLDEST_READY_JOB,
    OUTBOX_PUBLICATIONS,
    QUEUED_JOBS,
    TABLES,
)
from actors.metrics.snapshot import Snapshot, take
from db.jobs.depth import queue_depths
from db.outbox.backlog import outbox_backlog
from db.session import Database

LIMIT_MS = 2_000
"""Whoever scrapes waits for the rest, too."""


async def read_tables(database: Database) -> Snapshot:
    """The gauges of `TABLES`, as they are now. Raises what the database raises."""
    async with database.transaction(read_only=True) as session:
        await session.execute(text(f"SET LOCAL statement_timeout = {LIMIT_MS}"))
        depths = await queue_depths(session)
        publications, oldest_s = await outbox_backlog(session)
    # From here on nothing is awaited: of two that ask at once, neither sees half of the other's.
    QUEUED_JOBS.clear()
    OLDEST_READY_JOB.clear()
    for depth in depths:
        QUEUED_JOBS.labels(depth.queue, depth.state).set(depth.jobs)
        if depth.state == "ready":
            OLDEST_READY_JOB.labels(depth.queue).set(depth.oldest_s)
    OUTBOX_PUBLICATIONS.set(publications)
    OLDEST_OUTBOX_PUBLICATION.set(oldest_s)
    return take(TABLES)
