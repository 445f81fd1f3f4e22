"""Remove what is old. Every table that grows by itself is named here, or prunes itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import one_time
from db.auth.login import prune_attempts
from db.auth.second_factor import prune_enrolments
from db.auth.sessions import prune_sessions
from db.caches import service as caches
from db.events import service as events
from db.idempotency import service as idempotency
from db.jobs import maintenance as jobs
from db.mail import service as mail
from db.session_events import service as session_events
from db.sessions import service as revocations
from tasks.context import JobContext

MAIL_DAYS = 30
EVENT_DAYS = 30
ATTEMPT_DAYS = 30
INVALIDATIONS_S = 3600.0
"""Longer than anything lives in the shared cache tier, so that a cache shard that was away can catch up."""

STEPS: Mapping[str, Callable[[AsyncSession], Awaitable[int]]] = {
    "cron_fires": jobs.prune_fires,
    "nodes": jobs.prune_nodes,
    "mail": lambda session: mail.prune(session, older_than_days=MAIL_DAYS),
    "domain_events": lambda session: events.prune(session, older_than_days=EVENT_DAYS),
    "idempotency_keys": idempotency.prune,
    "login_attempts": lambda session: prune_attempts(session, older_than_days=ATTEMPT_DAYS),
    "one_time_tokens": one_time.prune,
    "second_factor_enrolments": prune_enrolments,
    "sessions": prune_sessions,
    "token_revocations": revocations.prune,
    "session_events": session_events.prune,
    "cache_invalidations": lambda session: caches.prune(session, older_than_s=INVALIDATIONS_S),
}


async def prune(job: JobContext) -> dict[str, Any]:
    """Job `maintenance.prune`: each table in a transaction of its own; one that fails keeps no other back."""
    removed: dict[str, int] = {}
    failures: list[Exception] = []
    for name, step in STEPS.items():
        try:
            async with job.transaction() as session:
                removed[name] = await step(session)
        except Exception as error:
            error.add_note(f"while pruning {name}")
            failures.append(error)
    if failures:
        raise ExceptionGroup("could not prune everything", failures)
    return removed
