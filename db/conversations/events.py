"""Facts about conversations."""

from typing import ClassVar
from uuid import UUID

from db.events.event import DomainEvent


class MessagePosted(DomainEvent):
    """Somebody said something. The text stays in the message row."""

    type: ClassVar[str] = "message.posted"

    message_id: UUID
    conversation_id: UUID
    author_id: UUID


class ConversationCreated(DomainEvent):
    """A conversation was started."""

    type: ClassVar[str] = "conversation.created"

    conversation_id: UUID
    created_by: UUID
