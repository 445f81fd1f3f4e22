"""The lease that makes writes of a job safe (DESIGN §5, 14): held in the writing transaction, or nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.jobs.errors import LeaseLost

# SHARE, not KEY SHARE: a rescue updates non-key columns, and must wait for the transaction that relies on the lease.
_HOLD = text(
    """
    SELECT 1 FROM jobs.queue
    WHERE id = :job_id AND state = 'running' AND lease_owner = :owner AND lease_no = :number FOR SHARE
    """
)

_SAVE = text(
    """
    INSERT INTO jobs.progress (job_id, checkpoint) VALUES (:job_id, CAST(:checkpoint AS jsonb))
    ON CONFLICT (job_id) DO UPDATE SET checkpoint = excluded.checkpoint, updated_at = now()
    """
)


@dataclass(frozen=True, slots=True)
class LeaseToken:
    """Minted in the queue owner's memory: its boot id and a counter, never derived from the job's row."""

    owner: UUID
    number: int


async def hold(session: AsyncSession, job_id: UUID, token: LeaseToken) -> None:
    """Keep the lease until this transaction ends. Raises LeaseLost when another attempt (or nobody) has the job."""
    row = await session.execute(_HOLD, {"job_id": job_id, "owner": token.owner, "number": token.number})
    if row.first() is None:
        raise LeaseLost


async def save_checkpoint(session: AsyncSession, job_id: UUID, checkpoint: Mapping[str, Any]) -> None:
    """Save how far the job has come in the transaction that takes it there: both commit, or neither.

    The next attempt is claimed after that commit (the lease is held until then), so it sees the checkpoint.
    """
    await session.execute(_SAVE, {"job_id": job_id, "checkpoint": orjson.dumps(dict(checkpoint)).decode()})
