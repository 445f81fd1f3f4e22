"""Facts about changes of accounts. UserCreated is in `db.auth.events`."""

from typing import ClassVar
from uuid import UUID

from db.events.event import DomainEvent


class UserUpdated(DomainEvent):
    """An account changed; `fields` names what."""

    type: ClassVar[str] = "user.updated"

    user_id: UUID
    fields: tuple[str, ...]


class UserDeleted(DomainEvent):
    """An account was removed (softly)."""

    type: ClassVar[str] = "user.deleted"

    user_id: UUID
