"""Domain events, who has handled them, and the analytics stream."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, PrimaryKeyConstraint, Sequence, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.base import APP, EMPTY_OBJECT, Base, Identified

ANALYTICS_ID = Sequence("events_id_seq", schema=APP, metadata=Base.metadata)


class DomainEventRow(Identified, Base):
    """A fact that a service recorded, in the transaction that made it true."""

    __tablename__ = "domain_events"
    __table_args__ = (
        Index("ix_domain_events_type_occurred_at", "type", "occurred_at"),
        Index("ix_domain_events_occurred_at", "occurred_at"),
        {"schema": APP},
    )

    type: Mapped[str] = mapped_column(String(80))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=EMPTY_OBJECT)
    actor_id: Mapped[UUID | None]
    """Who acted. No foreign key: the record outlives the account."""
    occurred_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class EventDelivery(Base):
    """A subscriber has handled an event: its second delivery finds this row and does nothing."""

    __tablename__ = "event_deliveries"
    __table_args__ = ({"schema": APP},)

    event_id: Mapped[UUID] = mapped_column(ForeignKey("app.domain_events.id", ondelete="CASCADE"), primary_key=True)
    subscriber: Mapped[str] = mapped_column(String(80), primary_key=True)
    delivered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class AnalyticsEvent(Base):
    """One analytics event. Partitioned by month of `created_at` (UTC); the default partition catches the rest."""

    __tablename__ = "events"
    __table_args__ = (
        PrimaryKeyConstraint("id", "created_at", name="pk_events"),
        Index("ix_events_event_type_created_at", "event_type", "created_at"),
        Index("ix_events_user_id_created_at", "user_id", "created_at"),
        Index("ix_events_payload", "payload", postgresql_using="gin", postgresql_ops={"payload": "jsonb_path_ops"}),
        {"schema": APP, "postgresql_partition_by": "RANGE (created_at)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, ANALYTICS_ID, server_default=text("nextval('app.events_id_seq')"))
    event_type: Mapped[str] = mapped_column(String(50))
    user_id: Mapped[UUID | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
