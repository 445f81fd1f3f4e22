"""Conversations: who may see, speak and read what, and in which order it is heard."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import User
from db.conversations import service
from db.conversations.errors import ConversationNotFound, MessageNotFound, NotAParticipant
from db.effects import ChannelLeft
from db.errors import DomainError, InvalidInput
from db.notifications import service as notifications
from db.session import Database, recorded_effects
from db.users.errors import UserNotFound
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation, make_message
from tests.fixtures.transactions import event_types, in_transaction, publications, refused, value


@pytest.fixture
async def people(database: Database) -> list[User]:
    async with database.transaction() as session:
        return [await make_user(session, username=name) for name in ("ada", "lin", "grace")]


async def test_a_message_is_numbered_stored_published_and_noticed(database: Database, people: list[User]) -> None:
    ada, lin, _ = people
    talk = await in_transaction(database, lambda s: make_conversation(s, [ada, lin], title=""))
    message = await in_transaction(database, lambda s: make_message(s, talk, ada, "  Hello  "))
    assert (message.number, message.body) == (1, "Hello")
    assert await publications(database, f"conversation:{talk.id}") == [
        {"type": "message", "message": service.message_payload(message)}
    ]
    payload = service.message_payload(message)
    assert payload["author"] == {"id": str(ada.id), "username": "ada"}
    notices = await publications(database, f"user:#{lin.id}")
    assert [n["notification"]["title"] for n in notices] == ["ada began a conversation with you", "ada wrote to you"]
    assert await publications(database, f"user:#{ada.id}") == [], "nobody is told of their own words"
    assert "message.posted" in await event_types(database)


async def test_those_who_are_added_hear_of_a_conversation_when_it_begins(
    database: Database, people: list[User]
) -> None:
    ada, lin, grace = people
    talk = await in_transaction(
        database,
        lambda s: service.create_conversation(
            s, created_by=ada.id, title="Tea", participant_ids=[ada.id, lin.id, grace.id]
        ),
    )
    for person in (lin, grace):
        [heard] = await publications(database, f"user:#{person.id}")
        notice = heard["notification"]
        assert (notice["kind"], notice["title"], notice["body"]) == (
            "conversation.created",
            "ada began a conversation with you",
            "Tea",
        )
        assert notice["data"] == {"conversation_id": str(talk.conversation.id), "author": "ada"}
    assert await publications(database, f"user:#{ada.id}") == [], "nobody is told of what they did"


async def test_nobody_hears_of_a_public_conversation_that_they_were_not_asked_into(
    database: Database, people: list[User]
) -> None:
    ada, lin, _ = people
    await in_transaction(
        database, lambda s: service.create_conversation(s, created_by=ada.id, title="Square", is_public=True)
    )
    assert await publications(database, f"user:#{lin.id}") == []


async def test_many_messages_are_one_unread_notice_until_they_are_read(database: Database, people: list[User]) -> None:
    ada, lin, _ = people
    talk = await in_transaction(database, lambda s: make_conversation(s, [ada, lin]))
    messages = [await in_transaction(database, lambda s, n=n: make_message(s, talk, ada, f"{n}")) for n in range(3)]  # type: ignore[misc]
    assert await in_transaction(database, lambda s: notifications.unread_count(s, lin.id)) == 1
    view = await in_transaction(database, lambda s: service.get_conversation(s, talk.id, user_id=lin.id))
    assert (view.unread_count, view.is_member, view.last_message and view.last_message.body) == (3, True, "2")

    def read(index: int) -> object:
        return in_transaction(
            database, lambda s: service.mark_read(s, talk.id, user_id=lin.id, message_id=messages[index].id)
        )

    assert await read(1) == 2  # type: ignore[misc]
    assert await read(0) == 2, "never backwards"  # type: ignore[misc]
    view = await in_transaction(database, lambda s: service.get_conversation(s, talk.id, user_id=lin.id))
    assert view.unread_count == 1
    assert await in_transaction(database, lambda s: notifications.unread_count(s, lin.id)) == 0
    await in_transaction(database, lambda s: make_message(s, talk, ada, "more"))
    assert await in_transaction(database, lambda s: notifications.unread_count(s, lin.id)) == 1


async def test_messages_posted_at_once_are_numbered_without_gaps_in_commit_order(
    database: Database, people: list[User]
) -> None:
    talk = await in_transaction(database, lambda s: make_conversation(s, people))
    await asyncio.gather(
        *(in_transaction(database, lambda s, n=n: make_message(s, talk, people[n % 3], str(n))) for n in range(24))  # type: ignore[misc]
    )
    page = await in_transaction(database, lambda s: service.list_messages(s, talk.id, user_id=people[0].id))
    assert [m.number for m in page.items] == list(range(24, 0, -1))
    heard = await publications(database, f"conversation:{talk.id}")
    assert sorted(m["message"]["number"] for m in heard) == list(range(1, 25))


async def test_a_message_of_a_transaction_that_failed_was_never_said(database: Database, people: list[User]) -> None:
    talk = await in_transaction(database, lambda s: make_conversation(s, people))

    async def post_then_fail() -> None:
        async with database.transaction() as session:
            await make_message(session, talk, people[0])
            raise DomainError

    with pytest.raises(DomainError):
        await post_then_fail()
    assert await publications(database, f"conversation:{talk.id}") == []
    assert (await in_transaction(database, lambda s: make_message(s, talk, people[0]))).number == 1


async def test_strangers_neither_see_nor_speak_in_private_conversations(database: Database, people: list[User]) -> None:
    ada, lin, grace = people
    talk = await in_transaction(database, lambda s: make_conversation(s, [ada, lin]))
    message = await in_transaction(database, lambda s: make_message(s, talk, ada))
    for attempt in (
        lambda s: service.get_conversation(s, talk.id, user_id=grace.id),
        lambda s: service.list_messages(s, talk.id, user_id=grace.id),
        lambda s: service.post_message(s, talk.id, author_id=grace.id, body="hi"),
        lambda s: service.mark_read(s, talk.id, user_id=grace.id, message_id=message.id),
        lambda s: service.join(s, talk.id, user_id=grace.id),
        lambda s: service.leave(s, talk.id, user_id=grace.id),
    ):
        await refused(database, ConversationNotFound, attempt)
    assert await in_transaction(database, lambda s: service.is_participant(s, talk.id, grace.id)) is False
    assert (await in_transaction(database, lambda s: service.list_conversations(s, grace.id))).items == []


async def test_a_public_conversation_is_read_by_all_and_spoken_in_by_those_who_joined(
    database: Database, people: list[User]
) -> None:
    ada, lin, grace = people
    lobby = await in_transaction(database, lambda s: make_conversation(s, [ada], title="Lobby", is_public=True))
    await in_transaction(database, lambda s: make_message(s, lobby, ada))
    seen = await in_transaction(database, lambda s: service.get_conversation(s, lobby.id, user_id=lin.id))
    assert (seen.is_member, seen.unread_count) == (False, 0)
    await refused(database, NotAParticipant, lambda s: service.post_message(s, lobby.id, author_id=lin.id, body="hi"))
    for _ in range(2):
        joined = await in_transaction(database, lambda s: service.join(s, lobby.id, user_id=lin.id))
    assert (joined.is_member, joined.unread_count) == (True, 0), "what was said before is not unread"
    assert {p.user.username for p in joined.conversation.participants} == {"ada", "lin"}
    await in_transaction(database, lambda s: make_message(s, lobby, lin, "hi"))
    assert await publications(database, f"user:#{ada.id}") == [], "no notices for every word in a lobby"
    async with database.transaction() as session:
        await service.leave(session, lobby.id, user_id=lin.id)
        assert recorded_effects(session) == [ChannelLeft(str(lin.id), service.channel(lobby.id))]
    await refused(database, NotAParticipant, lambda s: service.post_message(s, lobby.id, author_id=lin.id, body="hi"))
    listed = await in_transaction(database, lambda s: service.list_conversations(s, grace.id))
    assert [view.conversation.title for view in listed.items] == ["Lobby"]


async def test_people_are_named_by_id_or_name_and_must_exist(database: Database, people: list[User]) -> None:
    ada, lin, grace = people
    view = await in_transaction(
        database,
        lambda s: service.create_conversation(
            s, created_by=ada.id, participant_ids=[lin.id], participant_usernames=["GRACE", "grace"]
        ),
    )
    assert {p.user_id for p in view.conversation.participants} == {ada.id, lin.id, grace.id}
    error = await refused(
        database,
        UserNotFound,
        lambda s: service.create_conversation(s, created_by=ada.id, participant_usernames=["nobody"]),
    )
    assert error.details == {"missing": ["nobody"]}
    ghost = uuid4()
    await refused(
        database, UserNotFound, lambda s: service.create_conversation(s, created_by=ada.id, participant_ids=[ghost])
    )
    await refused(database, InvalidInput, lambda s: service.create_conversation(s, created_by=ada.id))
    await refused(database, InvalidInput, lambda s: service.create_conversation(s, created_by=ada.id, is_public=True))


@pytest.mark.parametrize("body", ["", "   ", "x" * 4001, "nul\x00"])
async def test_what_is_no_message_is_refused(database: Database, people: list[User], body: str) -> None:
    talk = await in_transaction(database, lambda s: make_conversation(s, people))
    await refused(database, InvalidInput, lambda s: service.post_message(s, talk.id, author_id=people[0].id, body=body))


async def test_messages_page_from_newest_to_oldest(database: Database, people: list[User]) -> None:
    talk = await in_transaction(database, lambda s: make_conversation(s, people))
    async with database.transaction() as session:
        for number in range(7):
            await make_message(session, talk, people[0], str(number))
    first = await in_transaction(database, lambda s: service.list_messages(s, talk.id, user_id=people[1].id, limit=3))
    assert [m.body for m in first.items] == ["6", "5", "4"]
    rest = await in_transaction(
        database, lambda s: service.list_messages(s, talk.id, user_id=people[1].id, cursor=first.next, limit=10)
    )
    assert ([m.body for m in rest.items], rest.next) == (["3", "2", "1", "0"], None)


async def test_the_latest_active_conversation_comes_first(database: Database, people: list[User]) -> None:
    one, two = [await in_transaction(database, lambda s: make_conversation(s, people)) for _ in range(2)]
    await in_transaction(database, lambda s: make_message(s, one, people[0]))

    async def order() -> list[object]:
        page = await in_transaction(database, lambda s: service.list_conversations(s, people[0].id))
        return [view.conversation.id for view in page.items]

    assert await order() == [one.id, two.id]
    await in_transaction(database, lambda s: make_message(s, two, people[0]))
    assert await order() == [two.id, one.id]


async def test_one_cannot_read_up_to_a_message_of_another_conversation(database: Database, people: list[User]) -> None:
    one, two = [await in_transaction(database, lambda s: make_conversation(s, people)) for _ in range(2)]
    message = await in_transaction(database, lambda s: make_message(s, one, people[0]))
    await refused(
        database, MessageNotFound, lambda s: service.mark_read(s, two.id, user_id=people[1].id, message_id=message.id)
    )


async def test_words_outlive_their_author(database: Database, people: list[User]) -> None:
    talk = await in_transaction(database, lambda s: make_conversation(s, people))
    await in_transaction(database, lambda s: make_message(s, talk, people[0]))
    async with database.transaction() as session:
        await session.delete(await session.get_one(User, people[0].id))
    page = await in_transaction(database, lambda s: service.list_messages(s, talk.id, user_id=people[1].id))
    assert page.items[0].author is None
    assert service.message_payload(page.items[0])["author"] is None
    assert await value(database, "SELECT count(*) FROM app.conversation_participants") == 2


async def test_a_removed_message_is_gone_for_everybody(database: Database, people: list[User]) -> None:
    ada, lin, grace = people
    talk = await in_transaction(database, lambda s: make_conversation(s, [ada, lin], title="Tea"))
    first = await in_transaction(database, lambda s: make_message(s, talk, ada, "first"))
    second = await in_transaction(database, lambda s: make_message(s, talk, ada, "secret"))

    def removed(by: User, message: UUID, *, moderates: bool = False) -> Callable[[AsyncSession], Awaitable[None]]:
        return lambda s: service.remove_message(s, talk.id, message, actor_id=by.id, moderates=moderates)

    for stranger in (lin, grace):
        await refused(database, MessageNotFound, removed(stranger, second.id))
    await refused(database, MessageNotFound, removed(ada, uuid4()))
    for _ in range(2):
        await in_transaction(database, removed(ada, second.id))
    told = await publications(database, f"conversation:{talk.id}")
    assert told[-1] == {"type": "message_removed", "message_id": str(second.id), "number": 2}
    assert len(told) == 3, "once"
    attributes = await value(database, "SELECT attributes FROM app.outbox ORDER BY id DESC LIMIT 1")
    assert attributes == {"replaces": second.outbox_id}, "what it said is not to be found in the channel's history"
    left = await in_transaction(database, lambda s: service.list_messages(s, talk.id, user_id=lin.id))
    assert [message.body for message in left.items] == ["first"]
    view = await in_transaction(database, lambda s: service.get_conversation(s, talk.id, user_id=lin.id))
    assert view.last_message is not None
    assert (view.last_message.id, view.conversation.message_count) == (first.id, 2)
    assert await value(database, "SELECT body FROM app.notifications WHERE user_id = :u", u=lin.id) == ""
    assert await value(database, "SELECT count(*) FROM audit.entries WHERE action = 'message.removed'") == 0
    await in_transaction(database, removed(grace, first.id, moderates=True))
    view = await in_transaction(database, lambda s: service.get_conversation(s, talk.id, user_id=lin.id))
    assert view.last_message is None
    assert await value(database, "SELECT actor_id FROM audit.entries WHERE action = 'message.removed'") == grace.id
    third = await in_transaction(database, lambda s: make_message(s, talk, lin, "third"))
    assert third.number == 3, "numbers have no gaps, and none comes twice"
    await in_transaction(database, lambda s: service.leave(s, talk.id, user_id=lin.id))
    await refused(database, MessageNotFound, removed(lin, third.id))
