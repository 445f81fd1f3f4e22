"""Schedules without a leader: whoever inserts the fire key enqueues the job."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.jobs.queue import NewJob, enqueue_many

_KEY = text(
    "INSERT INTO jobs.cron_fires (schedule, fire_at) VALUES (:schedule, :fire_at) ON CONFLICT DO NOTHING RETURNING 1"
)
_NOTE = text("UPDATE jobs.cron_fires SET job_id = :job_id WHERE schedule = :schedule AND fire_at = :fire_at")


async def fire(session: AsyncSession, schedule: str, fire_at: datetime, job: NewJob) -> UUID | None:
    """Enqueue `job` for this firing of a schedule, unless somebody has. Returns the job's id, or None."""
    given = {"schedule": schedule, "fire_at": fire_at}
    if (await session.execute(_KEY, given)).first() is None:
        return None
    job_id = (await enqueue_many(session, [job]))[0]
    await session.execute(_NOTE, {**given, "job_id": job_id})
    return job_id
