"""Partitions are made before a row needs them, and dropped whole."""

from typing import Any

from db.events import service as events
from db.jobs import maintenance as jobs
from tasks.context import JobContext

ANALYTICS_MONTHS = 24
JOB_HISTORY_DAYS = 30


async def ensure(job: JobContext) -> dict[str, Any]:
    """Job `events.ensure_partitions`: months of app.events and days of jobs.history ahead of need; old ones go."""
    async with job.transaction() as session:
        made = await events.ensure_partitions(session)
        dropped = await events.drop_old_partitions(session, keep_months=ANALYTICS_MONTHS)
    async with job.transaction() as session:
        made += await jobs.ensure_partitions(session)
        dropped += await jobs.drop_old_partitions(session, keep_days=JOB_HISTORY_DAYS)
    return {"made": made, "dropped": dropped}
