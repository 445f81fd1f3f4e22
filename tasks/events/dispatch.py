"""Bring one domain event to everybody who subscribed to its type: at least once, and handled once by each."""

from typing import Any
from uuid import UUID

import db.conversations.events  # noqa: F401 - events without a subscriber need their type too
from db.events.service import EventNotFound, claim_delivery, load
from tasks.context import JobContext, Refused
from tasks.events.subscribers import SUBSCRIBERS


async def dispatch(job: JobContext) -> dict[str, Any]:
    """Job `events.dispatch` (args: event_id). One transaction per subscriber: a failing one keeps none back.

    Who has handled the event is in app.event_deliveries, so the next attempt serves only those that failed.
    """
    event_id = UUID(str(job.args["event_id"]))
    async with job.transaction() as session:
        try:
            recorded = await load(session, event_id)
        except EventNotFound as error:
            raise Refused("the event was pruned") from error
    handled: list[str] = []
    failures: list[Exception] = []
    for name, subscriber in SUBSCRIBERS.get(recorded.event.type, {}).items():
        try:
            async with job.transaction() as session:
                if await claim_delivery(session, event_id, name):
                    await subscriber(session, recorded, job.settings)
                    handled.append(name)
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"subscribers of {recorded.event.type} failed", failures)
    return {"type": recorded.event.type, "handled": handled}
