"""Partitions and pruning of the job tables."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch

PARTITION_DAYS = 7
FIRES_KEPT_HOURS = 48
"""Longer than any agent's clock may be wrong: a fire key that is gone could fire again."""

NODES_KEPT_HOURS = 24


async def ensure_partitions(session: AsyncSession, *, days_ahead: int = PARTITION_DAYS) -> int:
    """Make the partitions of jobs.history for today and the next days. Returns how many were missing."""
    return int(await session.scalar(text("SELECT jobs.ensure_history_partitions(:days)"), {"days": days_ahead}) or 0)


async def drop_old_partitions(session: AsyncSession, *, keep_days: int) -> int:
    """Drop days of jobs.history that ended more than `keep_days` ago. Returns how many."""
    return int(await session.scalar(text("SELECT jobs.drop_history_partitions(:days)"), {"days": keep_days}) or 0)


async def prune_fires(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Forget old fire keys, `limit` at most; not the newest of a schedule: one of once a month must not fire again."""
    where = (
        "old.fire_at < now() - make_interval(hours => :hours)"
        " AND EXISTS (SELECT FROM jobs.cron_fires n WHERE n.schedule = old.schedule AND n.fire_at > old.fire_at)"
    )
    return await delete_batch(session, "jobs.cron_fires", where, limit=limit, hours=FIRES_KEPT_HOURS)


async def prune_nodes(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Forget agents that have been silent for long, `limit` at most."""
    where = "old.last_seen_at < now() - make_interval(hours => :hours)"
    return await delete_batch(session, "jobs.nodes", where, limit=limit, hours=NODES_KEPT_HOURS)
