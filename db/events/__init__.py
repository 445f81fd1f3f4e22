"""Domain events, and the analytics stream. `record(session, event)` is what services call."""

from db.events.event import DomainEvent
from db.events.service import record

__all__ = ["DomainEvent", "record"]
