"""Finding conversations and messages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload, selectinload

from db.auth.models import User
from db.conversations.models import Conversation, Message, Participant
from db.pagination import SortOrder

LATEST_FIRST = SortOrder("last_message_at", (Conversation.last_message_at, Conversation.id), descending=True)
NEWEST_FIRST = SortOrder("number", (Message.number,), descending=True)


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as one person sees it. `participants` of the conversation are loaded on single reads only."""

    conversation: Conversation
    is_member: bool
    unread_count: int
    last_message: Message | None
    others: Sequence[str]
    """Usernames of the others, in order of joining; only when there is no title to call it by."""


def visible_to(user_id: UUID) -> Select[Conversation]:
    """The user's own conversations, and public ones."""
    own = exists().where(Participant.conversation_id == Conversation.id, Participant.user_id == user_id)
    return select(Conversation).where(Conversation.deleted_at.is_(None), or_(Conversation.is_public, own))


async def visible_conversation(session: AsyncSession, conversation_id: UUID, user_id: UUID) -> Conversation | None:
    """One conversation with its participants, if the user may see it."""
    wanted = (
        visible_to(user_id)
        .where(Conversation.id == conversation_id)
        .options(selectinload(Conversation.participants).joinedload(Participant.user))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).one_or_none()


async def views(session: AsyncSession, conversations: Iterable[Conversation], user_id: UUID) -> list[ConversationView]:
    """What one person sees of each: membership, unread count, newest message, and how to call what has no title.

    Three queries however many there are.
    """
    found = list(conversations)
    ids = [conversation.id for conversation in found]
    mine = {
        row.conversation_id: row
        for row in await session.scalars(
            select(Participant).where(Participant.conversation_id.in_(ids), Participant.user_id == user_id)
        )
    }
    newest = {
        message.conversation_id: message
        for message in await session.scalars(
            select(Message)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .where(Message.conversation_id.in_(ids), Message.number == _newest_number())
            .options(joinedload(Message.author))
        )
    }
    others = await _others(session, [item.id for item in found if not item.title], user_id)
    return [
        ConversationView(
            conversation,
            conversation.id in mine,
            max(0, conversation.message_count - mine[conversation.id].last_read_number)
            if conversation.id in mine
            else 0,
            newest.get(conversation.id),
            others.get(conversation.id, ()),
        )
        for conversation in found
    ]


async def _others(session: AsyncSession, ids: Sequence[UUID], user_id: UUID) -> dict[UUID, list[str]]:
    """Who else takes part in each of these conversations, by username."""
    others: dict[UUID, list[str]] = {}
    if not ids:
        return others
    rows = await session.execute(
        select(Participant.conversation_id, User.username)
        .join(User, User.id == Participant.user_id)
        .where(Participant.conversation_id.in_(ids), Participant.user_id != user_id)
        .order_by(Participant.joined_at, User.username)
    )
    for conversation_id, username in rows:
        others.setdefault(conversation_id, []).append(username)
    return others


def _newest_number() -> ScalarSelect[int]:
    """Of the conversation's messages that were not removed."""
    left = aliased(Message)
    return (
        select(func.max(left.number))
        .where(left.conversation_id == Conversation.id, left.deleted_at.is_(None))
        .correlate(Conversation)
        .scalar_subquery()
    )


def messages(conversation_id: UUID) -> Select[Message]:
    """The messages of a conversation, with their authors."""
    return (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.deleted_at.is_(None))
        .options(joinedload(Message.author))
    )


async def is_participant(session: AsyncSession, conversation_id: UUID, user_id: UUID) -> bool:
    """Whether the user takes part in a conversation that still exists."""
    wanted = (
        select(Participant.user_id)
        .join(Conversation, Conversation.id == Participant.conversation_id)
        .where(
            Participant.conversation_id == conversation_id,
            Participant.user_id == user_id,
            Conversation.deleted_at.is_(None),
        )
    )
    return await session.scalar(wanted) is not None
