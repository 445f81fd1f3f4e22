"""Record domain events beside the rows they speak about; deliver each at least once, handle each once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch
from db.errors import NotFound
from db.events.event import DomainEvent, decode
from db.events.models import AnalyticsEvent, DomainEventRow, EventDelivery
from db.jobs.queue import enqueue

DISPATCH_KIND = "events.dispatch"
"""The job that brings one event to its subscribers (tasks/events)."""


class EventNotFound(NotFound):
    """The event was pruned, or its transaction never committed."""

    code = "event_not_found"


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """A stored event, decoded."""

    id: UUID
    event: DomainEvent
    actor_id: UUID | None
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class NewAnalyticsEvent:
    """One analytics event to store. `created_at` None: now."""

    event_type: str
    payload: dict[str, Any] = field(default_factory=dict)
    user_id: UUID | None = None
    created_at: datetime | None = None


async def record(session: AsyncSession, event: DomainEvent) -> UUID:
    """Store `event` and enqueue its dispatch, both in the caller's transaction. Returns the event's id."""
    event_id: UUID = (
        await session.execute(
            insert(DomainEventRow)
            .values(type=event.type, payload=event.model_dump(mode="json"), actor_id=func.app.acting_user_id())
            .returning(DomainEventRow.id)
        )
    ).scalar_one()
    await enqueue(session, DISPATCH_KIND, {"event_id": str(event_id)})
    return event_id


async def load(session: AsyncSession, event_id: UUID) -> RecordedEvent:
    """Read one event. Raises EventNotFound, or UnknownEvent for a type of newer code."""
    row = await session.get(DomainEventRow, event_id)
    if row is None:
        raise EventNotFound
    return RecordedEvent(row.id, decode(row.type, row.payload), row.actor_id, row.occurred_at)


async def claim_delivery(session: AsyncSession, event_id: UUID, subscriber: str) -> bool:
    """Whether this subscriber handles the event now. False: it has already.

    Handle the event in the same transaction: a failure rolls the claim back, and the next attempt finds it free. A
    second deliverer at the same time waits here until the first has committed or failed.
    """
    claimed = await session.execute(
        pg_insert(EventDelivery)
        .values(event_id=event_id, subscriber=subscriber)
        .on_conflict_do_nothing()
        .returning(EventDelivery.event_id)
    )
    return claimed.first() is not None


async def record_analytics(session: AsyncSession, events: Sequence[NewAnalyticsEvent]) -> None:
    """Append to app.events; each row lands in the partition of its month."""
    if not events:
        return
    moment = func.clock_timestamp()
    await session.execute(
        insert(AnalyticsEvent).values(
            [
                {
                    "event_type": event.event_type,
                    "user_id": event.user_id,
                    "payload": event.payload,
                    "created_at": event.created_at or moment,
                }
                for event in events
            ]
        )
    )


async def ensure_partitions(session: AsyncSession, *, months_ahead: int = 3) -> int:
    """Make the partitions of this month and the next ones. Returns how many were missing."""
    return int(await session.scalar(select(func.app.ensure_event_partitions(months_ahead))) or 0)


async def drop_old_partitions(session: AsyncSession, *, keep_months: int) -> int:
    """Drop partitions of months that ended more than `keep_months` ago. Returns how many."""
    return int(await session.scalar(select(func.app.drop_event_partitions(keep_months))) or 0)


async def prune(session: AsyncSession, *, older_than_days: int, limit: int = BATCH) -> int:
    """Delete old domain events and their deliveries, the oldest `limit` at most. Returns how many."""
    where = "old.occurred_at < now() - make_interval(days => :days)"
    return await delete_batch(
        session, "app.domain_events", where, limit=limit, oldest="occurred_at", days=older_than_days
    )
