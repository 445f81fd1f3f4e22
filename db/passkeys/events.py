"""Facts about passkeys."""

from typing import ClassVar, Literal
from uuid import UUID

from db.events.event import DomainEvent

PasskeyChange = Literal["added", "removed", "copied"]


class PasskeyChanged(DomainEvent):
    """What happened to a passkey: tell the owner of the account.

    `copied`: it was used with a counter that had been used before, which is how a copy of a key shows, and refused.
    """

    type: ClassVar[str] = "user.passkey_changed"

    user_id: UUID
    passkey_id: UUID
    passkey: str
    """What its owner calls it."""
    change: PasskeyChange
