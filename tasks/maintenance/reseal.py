"""After ENCRYPTION_KEY got a new first key: write everything again that older ones encrypted."""

from typing import Any

from cluster.logging import get_logger
from db.auth.resealing import SEALED, SealedColumn, count_stale, reseal_batch
from db.auth.sealing import Sealer
from tasks.context import JobContext

BATCH = 1000

logger = get_logger(__name__)


async def reseal(job: JobContext) -> dict[str, Any]:
    """Job `maintenance.reseal`: again and again from the first row to the last, while there is something to do.

    Result: how many were `resealed`; how many are `left` that still need an older key, those included that somebody
    held meanwhile; how many of these are `unreadable`, because none of the keys opens them. Counted at the end: when
    nothing is left, the older keys may go.
    """
    sealer = Sealer.from_settings(job.settings)
    resealed = 0
    while True:
        done = sum([await _pass(job, sealer, column) for column in SEALED])
        resealed += done
        async with job.transaction() as session:
            left, unreadable = await count_stale(session, sealer)
        if not done or left == unreadable:
            break
    if unreadable:
        logger.warning("a key of ENCRYPTION_KEY is missing: some second factors cannot be used", rows=unreadable)
    return {"resealed": resealed, "left": left, "unreadable": unreadable}


async def _pass(job: JobContext, sealer: Sealer, column: SealedColumn) -> int:
    resealed, last = 0, None
    while True:
        await job.check()
        async with job.transaction() as session:
            done, last = await reseal_batch(session, sealer, column, after=last, limit=BATCH)
        resealed += done
        if last is None:
            return resealed
