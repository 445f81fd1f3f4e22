"""Write how attempts ended: together when that goes, and so that no single one holds up the others."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from actors.jobs.policy import note
from db.jobs.store import Busy, Finish, JobStore, Release, Unstorable

BATCH: Final = 500
"""Ends per statement: it must be through long before its time limit, whatever gathered."""

BUSY_ROUNDS: Final = 3
"""A handler may begin a transaction between the look at who has one and the next attempt to write without it."""

logger = structlog.get_logger(__name__)


async def write_ends(
    store: JobStore, items: Sequence[Finish | Release], over: Callable[[Finish | Release], None]
) -> int:
    """Write ends; `over` is called with each end as it was written: its lease is over. Returns how many jobs ended.

    Those that their own handlers hold just now are left: whoever reported them does it again. What the database cannot
    store fails its own job. Raises what the store raises for everything else; what was written until then is over.
    """
    finishes = [item for item in items if isinstance(item, Finish)]
    releases = [item for item in items if isinstance(item, Release)]
    ended = 0
    for start in range(0, len(finishes), BATCH):
        ended += await _finish(store, finishes[start : start + BATCH], over)
    for start in range(0, len(releases), BATCH):
        ended += await _release(store, releases[start : start + BATCH], over)
    return ended


async def _finish(store: JobStore, finishes: Sequence[Finish], over: Callable[[Finish | Release], None]) -> int:
    for _ in range(BUSY_ROUNDS):
        if not finishes:
            break
        try:
            ended = await store.finish(finishes)
        except Busy as held:
            finishes = [finish for finish in finishes if finish.id not in held.job_ids]
            continue
        except Unstorable as reason:
            if len(finishes) > 1:
                half = len(finishes) // 2
                return await _finish(store, finishes[:half], over) + await _finish(store, finishes[half:], over)
            finishes = [_refused(finishes[0], reason)]
            continue
        for finish in finishes:
            over(finish)
        return len(ended)
    return 0


async def _release(store: JobStore, releases: Sequence[Release], over: Callable[[Finish | Release], None]) -> int:
    try:
        busy = await store.release(releases)
    except Unstorable as reason:
        if len(releases) > 1:
            half = len(releases) // 2
            return await _release(store, releases[:half], over) + await _release(store, releases[half:], over)
        return await _finish(store, [_refused(releases[0], reason)], over)
    for release in releases:
        if release.id not in busy:
            over(release)
    return 0


def _refused(item: Finish | Release, reason: Unstorable) -> Finish:
    logger.warning("the end of a job cannot be stored", job=str(item.id), reason=str(reason))
    attempt = (item.error or {}).get("attempt")
    error = note(f"its outcome cannot be stored: {str(reason)!a}", attempt if isinstance(attempt, int) else 0)
    return Finish(item.id, item.owner, item.number, state="failed", error=error)
