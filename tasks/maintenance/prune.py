"""Remove what is old. Every table that grows by itself is named here, or prunes itself.

Two are meant to stay: `audit.entries` and `audit.user_changes`, which the database refuses to delete from. What people
write or order (messages, orders) is theirs.
"""

import time
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import one_time
from db.auth.login import prune_attempts
from db.auth.second_factor import prune_enrolments
from db.auth.sessions import prune_sessions
from db.batches import BATCH
from db.caches import service as caches
from db.events import service as events
from db.idempotency import service as idempotency
from db.jobs import maintenance as jobs
from db.mail import service as mail
from db.notifications import service as notifications
from db.passkeys import challenges as passkey_challenges
from db.session_events import service as session_events
from db.sessions import service as revocations
from tasks.context import JobContext

MAIL_DAYS = 30
EVENT_DAYS = 30
ATTEMPT_DAYS = 30
READ_NOTIFICATION_DAYS = 90
NOTIFICATION_DAYS = 365
INVALIDATIONS_S = 3600.0
"""Longer than anything lives in the shared cache tier, so that a cache shard that was away can catch up."""

logger = structlog.get_logger(__name__)

BUDGET_S = 240.0
"""Less than the kind's time limit: what is left is for the next run."""


class Step(Protocol):
    """Deletes `limit` rows of a table at most, and says how many: fewer when nothing old is left."""

    def __call__(self, session: AsyncSession, *, limit: int) -> Awaitable[int]:
        """Delete one batch."""
        ...


STEPS: Mapping[str, Step] = {
    "cron_fires": jobs.prune_fires,
    "nodes": jobs.prune_nodes,
    "mail": partial(mail.prune, older_than_days=MAIL_DAYS),
    "domain_events": partial(events.prune, older_than_days=EVENT_DAYS),
    "notifications": partial(notifications.prune, read_days=READ_NOTIFICATION_DAYS, days=NOTIFICATION_DAYS),
    "idempotency_keys": idempotency.prune,
    "login_attempts": partial(prune_attempts, older_than_days=ATTEMPT_DAYS),
    "one_time_tokens": one_time.prune,
    "second_factor_enrolments": prune_enrolments,
    "passkey_challenges": passkey_challenges.prune,
    "sessions": prune_sessions,
    "token_revocations": revocations.prune,
    "session_events": session_events.prune,
    "cache_invalidations": partial(caches.prune, older_than_s=INVALIDATIONS_S),
}


async def prune(job: JobContext) -> dict[str, Any]:
    """Job `maintenance.prune`: batch after batch, in turns, until nothing is old any more or the time is over.

    Each batch is a transaction of its own; a table that fails keeps no other back.
    """
    removed = dict.fromkeys(STEPS, 0)
    failures: list[Exception] = []
    unfinished = list(STEPS)
    until = time.monotonic() + BUDGET_S
    while unfinished and time.monotonic() < until:
        await job.check()
        for name in list(unfinished):
            try:
                async with job.transaction() as session:
                    count = await STEPS[name](session, limit=BATCH)
            except Exception as error:
                error.add_note(f"while pruning {name}")
                failures.append(error)
                unfinished.remove(name)
                continue
            removed[name] += count
            if count < BATCH:
                unfinished.remove(name)
    if failures:
        raise ExceptionGroup("could not prune everything", failures)
    if unfinished:
        logger.warning("pruning did not finish in time", tables=unfinished)
    return removed
