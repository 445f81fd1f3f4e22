"""Append analytics events that a request did not want to wait for."""

from typing import Any
from uuid import UUID

from db.events.service import NewAnalyticsEvent, record_analytics
from tasks.context import JobContext, Refused

MAX_EVENTS = 1_000


async def record(job: JobContext) -> dict[str, Any]:
    """Job `analytics.record` (args: events, a list of {event_type, payload, user_id?}). Counts each event once."""
    if job.checkpoint is not None:
        return dict(job.checkpoint)  # an earlier attempt committed and did not live to say so
    given = job.args.get("events")
    if not isinstance(given, list) or len(given) > MAX_EVENTS:
        raise Refused(f"events is a list of at most {MAX_EVENTS}")
    try:
        events = [
            NewAnalyticsEvent(
                event_type=str(event["event_type"])[:50],
                payload=dict(event.get("payload") or {}),
                user_id=UUID(event["user_id"]) if event.get("user_id") else None,
            )
            for event in given
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(f"not an analytics event: {error!r}") from error
    async with job.transaction() as session:
        await record_analytics(session, events)
        await job.save_checkpoint(session, {"events": len(events)})
    return {"events": len(events)}
