"""Our own handler: every session event becomes a row of the analytics stream, once."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.events.service import NewAnalyticsEvent, record_analytics
from db.session_events.service import SessionEvent
from tasks.session_events.handlers import Handlers

NAME = "analytics"


def register(handlers: Handlers) -> None:
    """Offer it."""
    handlers.on(NAME, count)


async def count(session: AsyncSession, events: Sequence[SessionEvent]) -> None:
    """One row each, of type `session.<kind>`."""
    rows = [
        NewAnalyticsEvent(
            event_type=f"session.{event.kind}",
            payload=event.as_json(),
            user_id=_uuid(event.user),
            created_at=event.occurred_at,
        )
        for event in events
    ]
    await record_analytics(session, rows)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
