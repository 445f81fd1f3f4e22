"""Conversations: start, join, speak, read. A message is published on `conversation:<id>` by its own transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth.models import User
from db.conversations import reading, repository
from db.conversations.errors import ConversationNotFound, MessageNotFound, NotAParticipant
from db.conversations.events import ConversationCreated, MessagePosted
from db.conversations.models import Conversation, Message, Participant
from db.conversations.repository import ConversationView, is_participant
from db.effects import ChannelLeft, PositionRead
from db.errors import InvalidInput
from db.notifications import service as notifications
from db.outbox.service import publish, replace_publication
from db.pagination import Cursor, CursorPage, Page, fetch_cursor_page, fetch_page
from db.read_positions import service as read_positions
from db.read_positions.service import Mark, MemberPosition, OwnPosition
from db.session import record_effect
from db.users import repository as users
from db.users.errors import UserNotFound

MAX_PARTICIPANTS = 100
"""Everybody in a private conversation is notified of each message; this bounds the work of one."""

MAX_BODY = 4000

NOTICE_CHARACTERS = 200
"""As much of a message as its notice says."""

__all__ = [
    "ConversationView",
    "channel",
    "create_conversation",
    "get_conversation",
    "is_participant",
    "join",
    "leave",
    "list_conversations",
    "list_conversations_by_cursor",
    "list_messages",
    "mark_position",
    "mark_read",
    "member_positions",
    "message_payload",
    "own_position",
    "post_message",
    "remove_conversation",
    "remove_message",
]


def channel(conversation_id: UUID) -> str:
    """Where a conversation's messages are published."""
    return f"{reading.CHANNEL_PREFIX}{conversation_id}"


async def create_conversation(
    session: AsyncSession,
    *,
    created_by: UUID,
    title: str = "",
    is_public: bool = False,
    participant_ids: Sequence[UUID] = (),
    participant_usernames: Sequence[str] = (),
    org_id: UUID | None = None,
) -> ConversationView:
    """Start a conversation of the creator and others. Raises UserNotFound (`details` says who), InvalidInput."""
    title = title.strip()
    if len(title) > 120:
        raise InvalidInput("120 characters at most", field="title")
    if is_public and not title:
        raise InvalidInput("a public conversation has a title", field="title")
    others = await _people(session, participant_ids, participant_usernames)
    people = list(dict.fromkeys([created_by, *others]))
    if len(people) > MAX_PARTICIPANTS:
        raise InvalidInput(f"{MAX_PARTICIPANTS} people at most", field="participant_ids")
    if len(people) == 1 and not is_public:
        raise InvalidInput("name somebody to talk to", field="participant_usernames")
    conversation = Conversation(title=title, is_public=is_public, created_by=created_by, org_id=org_id)
    session.add(conversation)
    await session.flush()
    session.add_all(Participant(conversation_id=conversation.id, user_id=user_id) for user_id in people)
    await session.flush()
    await _tell_of_beginning(session, conversation, created_by, people[1:])
    await events.record(session, ConversationCreated(conversation_id=conversation.id, created_by=created_by))
    return await get_conversation(session, conversation.id, user_id=created_by)


async def get_conversation(session: AsyncSession, conversation_id: UUID, *, user_id: UUID) -> ConversationView:
    """One conversation with its participants, if the user takes part or it is public. Raises ConversationNotFound."""
    conversation = await repository.visible_conversation(session, conversation_id, user_id)
    if conversation is None:
        raise ConversationNotFound
    return (await repository.views(session, [conversation], user_id))[0]


async def list_conversations(
    session: AsyncSession, user_id: UUID, *, page: int = 1, limit: int = 20, count: bool = True
) -> Page[ConversationView]:
    """One numbered page of the user's own and public conversations, the latest active first."""
    found = await fetch_page(
        session, repository.visible_to(user_id), repository.LATEST_FIRST, page=page, limit=limit, count=count
    )
    return Page(await repository.views(session, found.items, user_id), found.total, found.page, found.limit)


async def list_conversations_by_cursor(
    session: AsyncSession, user_id: UUID, *, cursor: Cursor | None = None, limit: int = 20
) -> CursorPage[ConversationView]:
    """The same by cursor."""
    found = await fetch_cursor_page(
        session, repository.visible_to(user_id), repository.LATEST_FIRST, cursor=cursor, limit=limit
    )
    return CursorPage(await repository.views(session, found.items, user_id), found.next, found.prev)


async def remove_conversation(session: AsyncSession, conversation_id: UUID, *, actor_id: UUID) -> None:
    """Take a conversation away from everybody, softly; those who have it open are told. Raises ConversationNotFound.

    For moderators: they need not take part in it.
    """
    gone = await session.execute(
        update(Conversation)
        .where(Conversation.id == conversation_id, Conversation.deleted_at.is_(None))
        .values(deleted_at=func.now())
        .returning(Conversation.id)
        .execution_options(synchronize_session=False)
    )
    if gone.first() is None:
        raise ConversationNotFound
    await audit.record(
        session, "conversation.removed", subject_type="conversation", subject_id=conversation_id, actor_id=actor_id
    )
    await publish(session, channel(conversation_id), {"type": "removed"})


async def list_messages(
    session: AsyncSession, conversation_id: UUID, *, user_id: UUID, cursor: Cursor | None = None, limit: int = 50
) -> CursorPage[Message]:
    """Messages with their authors, newest first; `next` leads to older ones. Raises ConversationNotFound."""
    visible = select(repository.visible_to(user_id).where(Conversation.id == conversation_id).exists())
    if not await session.scalar(visible):
        raise ConversationNotFound
    return await fetch_cursor_page(
        session, repository.messages(conversation_id), repository.NEWEST_FIRST, cursor=cursor, limit=limit
    )


async def join(session: AsyncSession, conversation_id: UUID, *, user_id: UUID) -> ConversationView:
    """Join a public conversation; twice is fine. Raises ConversationNotFound (private ones too)."""
    row = await session.get(Conversation, conversation_id)
    if row is None or row.deleted_at is not None:
        raise ConversationNotFound
    if not row.is_public and not await is_participant(session, conversation_id, user_id):
        raise ConversationNotFound
    # What was said before one came is not unread.
    await session.execute(
        insert(Participant)
        .values(conversation_id=conversation_id, user_id=user_id, last_read_number=row.message_count)
        .on_conflict_do_nothing()
    )
    return await get_conversation(session, conversation_id, user_id=user_id)


async def leave(session: AsyncSession, conversation_id: UUID, *, user_id: UUID) -> None:
    """Leave a conversation. Raises ConversationNotFound when one was not in it."""
    row = await session.get(Participant, (conversation_id, user_id))
    if row is None:
        raise ConversationNotFound
    await session.delete(row)
    await session.flush()
    record_effect(session, ChannelLeft(str(user_id), channel(conversation_id)))


async def post_message(session: AsyncSession, conversation_id: UUID, *, author_id: UUID, body: str) -> Message:
    """Say something: numbered, stored, published, and the others of a private conversation are notified.

    Raises InvalidInput, ConversationNotFound, NotAParticipant.
    """
    body = body.strip()
    if not 1 <= len(body) <= MAX_BODY or "\x00" in body:
        raise InvalidInput(f"1 to {MAX_BODY} characters", field="body")
    if not await is_participant(session, conversation_id, author_id):
        row = await session.get(Conversation, conversation_id)
        if row is None or row.deleted_at is not None or not row.is_public:
            raise ConversationNotFound
        raise NotAParticipant
    author = await session.get_one(User, author_id)
    # The row lock makes numbers follow the order of commits; it is taken late to be held briefly.
    numbered = (
        await session.execute(
            update(Conversation)
            .where(Conversation.id == conversation_id)
            .values(message_count=Conversation.message_count + 1, last_message_at=func.clock_timestamp())
            .returning(Conversation.message_count, Conversation.title, Conversation.is_public)
            .execution_options(synchronize_session=False)
        )
    ).one()
    message = Message(conversation_id=conversation_id, number=numbered.message_count, body=body, author=author)
    session.add(message)
    await session.flush()
    await session.execute(
        update(Participant)
        .where(Participant.conversation_id == conversation_id, Participant.user_id == author_id)
        .values(last_read_number=message.number, last_read_at=func.now())
        .execution_options(synchronize_session=False)
    )
    payload = {"type": "message", "message": message_payload(message)}
    message.outbox_id = await publish(session, channel(conversation_id), payload)
    await session.flush()
    if not numbered.is_public:
        await _notify_others(session, conversation_id, author, numbered.title, body)
    await events.record(
        session, MessagePosted(message_id=message.id, conversation_id=conversation_id, author_id=author_id)
    )
    return message


async def remove_message(
    session: AsyncSession, conversation_id: UUID, message_id: UUID, *, actor_id: UUID, moderates: bool = False
) -> None:
    """Take a message away from everybody, softly; those who have it on the screen are told. Twice is fine.

    One's own, where one takes part; anybody's for those who moderate. Raises MessageNotFound, also for those who may
    not. Numbers stay as they are: what was read stays read.
    """
    message = await session.scalar(
        select(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.id == message_id, Message.conversation_id == conversation_id, Conversation.deleted_at.is_(None))
        .with_for_update(of=Message)
    )
    if message is None:
        raise MessageNotFound
    own = message.author_id == actor_id and await is_participant(session, conversation_id, actor_id)
    if not (own or moderates):
        raise MessageNotFound
    if message.deleted_at is not None:
        return
    message.deleted_at = func.now()
    await session.flush()
    if message.author_id != actor_id:
        await audit.record(
            session,
            "message.removed",
            subject_type="message",
            subject_id=message_id,
            actor_id=actor_id,
            details={"conversation_id": str(conversation_id)},
        )
    people = await session.scalars(select(Participant.user_id).where(Participant.conversation_id == conversation_id))
    await notifications.withdraw(
        session, people.all(), collapse_key=channel(conversation_id), body=message.body[:NOTICE_CHARACTERS]
    )
    payload = {"type": "message_removed", "message_id": str(message_id), "number": message.number}
    if message.outbox_id is None:
        await publish(session, channel(conversation_id), payload)
    else:
        # The words leave the channel's history, too.
        await replace_publication(session, channel(conversation_id), message.outbox_id, payload)


async def mark_read(session: AsyncSession, conversation_id: UUID, *, user_id: UUID, message_id: UUID) -> int:
    """Remember how far the user has read (never backwards); its notice is read too. Returns the number.

    Raises ConversationNotFound, MessageNotFound.
    """
    if not await is_participant(session, conversation_id, user_id):
        raise ConversationNotFound
    message = (
        await session.execute(
            select(Message.number, Message.outbox_id).where(
                Message.id == message_id, Message.conversation_id == conversation_id
            )
        )
    ).first()
    if message is None:
        raise MessageNotFound
    mine = (Participant.conversation_id == conversation_id, Participant.user_id == user_id)
    name, reader = channel(conversation_id), str(user_id)
    position = await reading.position_of(session, name, message.outbox_id)
    if position is not None:
        # First, because it locks the position before the participant: two orders would deadlock.
        await read_positions.mark_many(session, [Mark(name, reader, *position)])
    moved = await session.scalar(
        update(Participant)
        .where(*mine, Participant.last_read_number < message.number)
        .values(last_read_number=message.number, last_read_at=func.now())
        .returning(Participant.last_read_number)
        .execution_options(synchronize_session=False)
    )
    read = moved or int(await session.scalar(select(Participant.last_read_number).where(*mine)) or 0)
    if moved is not None and position is None:
        record_effect(session, PositionRead(name, reader, "", 0, moved))
    await notifications.mark_all_read(session, user_id, collapse_key=name)
    return read


async def mark_position(
    session: AsyncSession, conversation_id: UUID, *, user_id: UUID, epoch: str, offset: int
) -> OwnPosition:
    """Remember how far the user has read the channel. Raises ConversationNotFound, PositionUnknown."""
    name = await _channel_of(session, conversation_id, user_id)
    position = await read_positions.mark(session, name, user=str(user_id), epoch=epoch, offset=offset)
    if position.unread == 0:
        await notifications.mark_all_read(session, user_id, collapse_key=name)
    return position


async def own_position(session: AsyncSession, conversation_id: UUID, *, user_id: UUID) -> OwnPosition:
    """How far the user has read the channel. Raises ConversationNotFound."""
    name = await _channel_of(session, conversation_id, user_id)
    return (await read_positions.own(session, str(user_id), [name]))[0]


async def member_positions(session: AsyncSession, conversation_id: UUID, *, user_id: UUID) -> Sequence[MemberPosition]:
    """How far those who take part have read the channel. Raises ConversationNotFound."""
    name = await _channel_of(session, conversation_id, user_id)
    return await read_positions.members(session, name, limit=MAX_PARTICIPANTS)


async def _channel_of(session: AsyncSession, conversation_id: UUID, user_id: UUID) -> str:
    if not await is_participant(session, conversation_id, user_id):
        raise ConversationNotFound
    return channel(conversation_id)


def message_payload(message: Message) -> dict[str, Any]:
    """The message as clients see it, over REST and on the channel."""
    author = message.author
    return {
        "id": str(message.id),
        "conversation_id": str(message.conversation_id),
        "number": message.number,
        "author": {"id": str(author.id), "username": author.username} if author is not None else None,
        "body": message.body,
        "created_at": message.created_at.isoformat(),
        "edited_at": message.edited_at.isoformat() if message.edited_at else None,
    }


async def _people(session: AsyncSession, ids: Sequence[UUID], usernames: Sequence[str]) -> list[UUID]:
    by_id = await users.by_ids(session, ids) if ids else {}
    by_name = await users.by_usernames(session, usernames) if usernames else {}
    missing = [str(user_id) for user_id in ids if user_id not in by_id]
    missing += [name for name in usernames if name.strip().lower() not in by_name]
    if missing:
        raise UserNotFound(f"there is no user '{missing[0]}'", details={"missing": missing})
    return [*by_id, *(user.id for user in by_name.values())]


async def _tell_of_beginning(
    session: AsyncSession, conversation: Conversation, created_by: UUID, others: Sequence[UUID]
) -> None:
    """It appears to the others at once. The first message takes this notice's place, if it is still unread."""
    if not others:
        return
    author = await session.get_one(User, created_by)
    for user_id in sorted(others):
        await notifications.notify(
            session,
            user_id,
            kind="conversation.created",
            title=f"{author.username} began a conversation with you",
            body=conversation.title,
            data={"conversation_id": str(conversation.id), "author": author.username},
            collapse_key=channel(conversation.id),
        )


async def _notify_others(session: AsyncSession, conversation_id: UUID, author: User, title: str, body: str) -> None:
    others = await session.scalars(
        select(Participant.user_id)
        .where(Participant.conversation_id == conversation_id, Participant.user_id != author.id)
        .order_by(Participant.user_id)  # the same order everywhere: two messages at once cannot deadlock
    )
    for user_id in others.all():
        await notifications.notify(
            session,
            user_id,
            kind="message.posted",
            title=f"{author.username} in {title}" if title else f"{author.username} wrote to you",
            body=body[:NOTICE_CHARACTERS],
            data={"conversation_id": str(conversation_id), "author": author.username},
            collapse_key=channel(conversation_id),
        )
