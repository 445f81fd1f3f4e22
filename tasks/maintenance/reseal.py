"""After ENCRYPTION_KEY got a new first key: write everything again that older ones encrypted."""

from typing import Any

from cluster.logging import get_logger
from db.auth.sealing import Sealer
from db.auth.second_factor import reseal as reseal_batch
from tasks.context import JobContext

BATCH = 1000

logger = get_logger(__name__)


async def reseal(job: JobContext) -> dict[str, Any]:
    """Job `maintenance.reseal`: batches until none is left. Result: how many, and how many have a key that is missing.

    When `unreadable` is 0 the older keys may go.
    """
    sealer = Sealer.from_settings(job.settings)
    resealed = 0
    while True:
        async with job.transaction() as session:
            done, unreadable = await reseal_batch(session, sealer, limit=BATCH)
        resealed += done
        if not done:
            break
    if unreadable:
        logger.warning("a key of ENCRYPTION_KEY is missing: some second factors cannot be used", rows=unreadable)
    return {"resealed": resealed, "unreadable": unreadable}
