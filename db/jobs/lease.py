"""The lease that makes writes of a job safe (DESIGN §5, 14): held in the writing transaction, or nothing is written."""

from dataclasses import dataclass
from uuid import UUID

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
