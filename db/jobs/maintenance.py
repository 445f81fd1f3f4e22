"""Partitions and pruning of the job tables."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

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


async def prune_fires(session: AsyncSession) -> int:
    """Forget old fire keys, except the newest of each schedule: a schedule of once a month must not fire again."""
    gone = await session.execute(
        text(
            """
            DELETE FROM jobs.cron_fires f WHERE fire_at < now() - make_interval(hours => :hours)
            AND EXISTS (SELECT FROM jobs.cron_fires n WHERE n.schedule = f.schedule AND n.fire_at > f.fire_at)
            RETURNING 1
            """
        ),
        {"hours": FIRES_KEPT_HOURS},
    )
    return len(gone.all())


async def prune_nodes(session: AsyncSession) -> int:
    """Forget agents that have been silent for long."""
    gone = await session.execute(
        text("DELETE FROM jobs.nodes WHERE last_seen_at < now() - make_interval(hours => :hours) RETURNING 1"),
        {"hours": NODES_KEPT_HOURS},
    )
    return len(gone.all())
