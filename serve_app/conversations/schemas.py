"""Conversations over HTTP. Live messages arrive on channel `conversation:<id>`, in the shape of `Message`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from serve_app.auth.schemas import Username, UserSummary
from serve_app.schemas import Links, RequestSchema, ResourceSchema, ResponseSchema, Whole

MAX_PARTICIPANTS = 100
MAX_MESSAGE_CHARACTERS = 4000
"""A publication of this many characters stays under the 64 KB that a client reads."""


class ConversationCreate(RequestSchema):
    """A new conversation of the caller and others, named by id or username."""

    title: Annotated[str, Field(max_length=120)] = ""
    is_public: bool = False
    participant_ids: Annotated[list[UUID], Field(max_length=MAX_PARTICIPANTS)] = Field(default_factory=list)
    participant_usernames: Annotated[list[Username], Field(max_length=MAX_PARTICIPANTS)] = Field(default_factory=list)


class Message(ResponseSchema):
    """One message."""

    id: UUID
    conversation_id: UUID
    number: int = Field(description="Counts from 1 in the conversation, without gaps.")
    author: UserSummary | None = Field(description="null when the account is gone.")
    body: str
    created_at: datetime
    edited_at: datetime | None


class MessageCreate(RequestSchema):
    """A message to post."""

    body: Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_CHARACTERS)]


class MessageRead(RequestSchema):
    """The newest message that the caller has read."""

    message_id: UUID


class ReadMark(RequestSchema):
    """A position in the stream of the conversation's channel, as publications carry it."""

    epoch: Annotated[str, Field(max_length=64)]
    offset: Annotated[Whole, Field(ge=0, le=2**53 - 1)]


class OwnReadPosition(ResponseSchema):
    """How far the caller has read the channel."""

    channel: str
    epoch: str = Field(description="Empty when nothing was read.")
    offset: int
    read_at: datetime | None
    unread: int = Field(description="Publications of the channel after this position.")


class MemberReadPosition(ResponseSchema):
    """How far somebody who takes part has read."""

    user_id: UUID
    epoch: str
    offset: int
    read_at: datetime


class MemberReadPositions(ResponseSchema):
    """How far those who take part have read, the latest readers first."""

    items: list[MemberReadPosition]


class Participant(UserSummary):
    """Who takes part, and how far they have read."""

    joined_at: datetime
    last_read_number: int = Field(description="Number of the newest message that they have read.")


class ConversationSummary(ResourceSchema):
    """A conversation in a list."""

    id: UUID
    title: str
    others: list[str] = Field(
        description="Usernames of the others who take part, in order of joining, when it has no title; else empty."
    )
    is_public: bool
    is_member: bool
    channel: str = Field(description="Where its messages are published.", examples=["conversation:0190f6b2-…"])
    last_message: Message | None
    message_count: int
    unread_count: int
    last_message_at: datetime
    created_at: datetime


class Conversation(ConversationSummary):
    """A conversation with who takes part."""

    participants: list[Participant]


class MessagePage(ResponseSchema):
    """Messages, newest first. `next` leads to older ones."""

    items: list[Message]
    limit: int
    next: str | None
    prev: str | None
    links: Links = Field(alias="_links")
