"""Conversations and messages."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import User
from db.conversations import service
from db.conversations.models import Conversation, Message
from tests.factories.auth import make_user


async def make_conversation(
    session: AsyncSession, people: Sequence[User] = (), *, title: str = "Talk", is_public: bool = False
) -> Conversation:
    """A conversation; the first of `people` started it. Without people: two new ones."""
    members = list(people) or [await make_user(session), await make_user(session)]
    view = await service.create_conversation(
        session,
        created_by=members[0].id,
        title=title,
        is_public=is_public,
        participant_ids=[user.id for user in members[1:]],
    )
    return view.conversation


async def make_message(session: AsyncSession, conversation: Conversation, author: User, body: str = "Hello") -> Message:
    """A posted message."""
    return await service.post_message(session, conversation.id, author_id=author.id, body=body)
