"""Messages that nobody sends any more."""

from typing import Any

from db.mail import service
from tasks.context import JobContext


async def reconcile(job: JobContext) -> dict[str, Any]:
    """Job `mail.reconcile`: a queued message whose job is over gets another, or fails."""
    async with job.transaction() as session:
        return {"orphans": await service.reconcile(session)}
