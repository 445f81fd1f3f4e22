"""Facts about accounts."""

from typing import ClassVar
from uuid import UUID

from db.events.event import DomainEvent


class UserCreated(DomainEvent):
    """Somebody registered."""

    type: ClassVar[str] = "user.created"

    user_id: UUID
    email: str
    username: str


class RefreshReuseDetected(DomainEvent):
    """A copied refresh token was noticed and its session ended: tell the owner."""

    type: ClassVar[str] = "user.refresh_reuse_detected"

    user_id: UUID
    session_id: UUID
    ip: str | None = None
