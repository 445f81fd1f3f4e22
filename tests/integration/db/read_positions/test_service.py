"""Read positions move forward only, within their stream, and conversations follow them."""

import asyncio

import pytest
from sqlalchemy import text

from db.conversations import service as conversations
from db.conversations.errors import ConversationNotFound
from db.effects import PositionRead
from db.read_positions import service
from db.read_positions.errors import PositionUnknown
from db.read_positions.service import Mark
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation, make_message
from tests.fixtures.outbox import relay_all
from tests.fixtures.transactions import in_transaction, value
from tests.fixtures.waiting import eventually


@pytest.fixture
async def told(database):
    heard: list[PositionRead] = []

    async def hear(effects):
        heard.extend(effects)

    database.on_commit(PositionRead, hear)
    return heard


@pytest.fixture
async def talk(database, database_url):
    """Two people, a conversation with five messages of the first, and where its stream stands."""

    async def start(session):
        ada, bob = await make_user(session, username="ada"), await make_user(session, username="bob")
        made = await make_conversation(session, [ada, bob])
        messages = [await make_message(session, made, ada, f"hello {n}") for n in range(5)]
        return ada, bob, made, messages

    ada, bob, made, messages = await in_transaction(database, start)
    relayed = await relay_all(database_url, "conversation")
    assert [row.offset for row in relayed] == [1, 2, 3, 4, 5]
    return ada, bob, made, messages, relayed[0].epoch


async def test_a_position_never_moves_back(database, talk, told):
    _, bob, made, _, epoch = talk
    name, user = f"conversation:{made.id}", str(bob.id)
    for offset, stands, unread in [(2, 2, 3), (4, 4, 1), (3, 4, 1), (4, 4, 1), (5, 5, 0)]:
        position = await in_transaction(
            database, lambda s, offset=offset: service.mark(s, name, user=user, epoch=epoch, offset=offset)
        )
        assert (position.offset, position.unread) == (stands, unread)
        assert position.read_at is not None
    assert [(effect.offset, effect.number) for effect in told] == [(2, 2), (4, 4), (5, 5)], "told once per step"


async def test_what_is_no_position_of_the_stream_is_refused(database, talk, told):
    _, bob, made, _, epoch = talk
    name, user = f"conversation:{made.id}", str(bob.id)
    refused = [
        (name, epoch, 6), (name, "other", 1), ("conversation:none", epoch, 1), ("conversation:none", "", 0),
    ]  # fmt: skip
    for channel, given, offset in refused:
        with pytest.raises(PositionUnknown):
            await in_transaction(
                database, lambda s, c=channel, e=given, o=offset: service.mark(s, c, user=user, epoch=e, offset=o)
            )
    (nothing,) = await in_transaction(database, lambda s: service.own(s, user, [name]))
    assert (nothing.epoch, nothing.offset, nothing.read_at, nothing.unread) == ("", 0, None, 5)
    assert told == []


async def test_many_marks_are_one_statement_and_each_has_its_answer(database, talk, told):
    ada, bob, made, _, epoch = talk
    name = f"conversation:{made.id}"
    marks = [
        Mark(name, str(bob.id), epoch, 1),
        Mark(name, str(bob.id), epoch, 3),
        Mark(name, str(bob.id), epoch, 99),
        Mark(name, str(ada.id), epoch, 5),
        Mark(name, "of another issuer", epoch, 2),
        Mark(name, "late", "old", 2),
        Mark("conversation:none", "nobody", "", 0),
    ]
    assert await in_transaction(database, lambda s: service.mark_many(s, marks)) == [
        True, True, False, True, True, False, False,
    ]  # fmt: skip
    found = await in_transaction(database, lambda s: service.members(s, name))
    assert {row.user: row.offset for row in found} == {str(bob.id): 3, str(ada.id): 5, "of another issuer": 2}
    assert await in_transaction(database, lambda s: service.mark_many(s, [])) == []


async def test_positions_and_messages_say_the_same(database, talk):
    _, bob, made, messages, epoch = talk
    name, user = f"conversation:{made.id}", str(bob.id)

    async def unread():
        view = await in_transaction(database, lambda s: conversations.get_conversation(s, made.id, user_id=bob.id))
        (position,) = await in_transaction(database, lambda s: service.own(s, user, [name]))
        return view.unread_count, position.unread

    assert await unread() == (5, 5)
    await in_transaction(database, lambda s: service.mark(s, name, user=user, epoch=epoch, offset=2))
    assert await unread() == (3, 3)
    await in_transaction(
        database, lambda s: conversations.mark_read(s, made.id, user_id=bob.id, message_id=messages[3].id)
    )
    assert await unread() == (1, 1)
    await in_transaction(
        database, lambda s: conversations.mark_read(s, made.id, user_id=bob.id, message_id=messages[1].id)
    )
    assert await unread() == (1, 1)


async def test_a_message_and_a_position_that_are_read_at_once_do_not_deadlock(database, talk):
    """Whoever has the row of the position has that of the participant next, whichever way it was asked for."""
    _, bob, made, messages, epoch = talk
    name, user = f"conversation:{made.id}", str(bob.id)
    await in_transaction(database, lambda s: service.mark(s, name, user=user, epoch=epoch, offset=1))
    async with database.transaction() as holder:
        await holder.execute(text("SELECT 1 FROM app.read_positions WHERE channel = :c FOR UPDATE"), {"c": name})
        other = asyncio.create_task(
            in_transaction(
                database, lambda s: conversations.mark_read(s, made.id, user_id=bob.id, message_id=messages[3].id)
            )
        )
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        await eventually(lambda: value(database, waiting))
        await service.mark(holder, name, user=user, epoch=epoch, offset=2)
    assert await other == 4


async def test_a_message_that_is_not_out_yet_is_read_by_its_number(database, talk, told):
    ada, bob, made, _, _ = talk
    message = await in_transaction(database, lambda s: make_message(s, made, ada, "just now"))
    read = await in_transaction(
        database, lambda s: conversations.mark_read(s, made.id, user_id=bob.id, message_id=message.id)
    )
    assert read == 6
    assert [(effect.epoch, effect.offset, effect.number) for effect in told] == [("", 0, 6)]


async def test_positions_of_conversations_are_for_those_in_them(database, talk):
    _, bob, made, _, epoch = talk
    stranger = await in_transaction(database, lambda s: make_user(s))
    for ask in (
        lambda s: conversations.own_position(s, made.id, user_id=stranger.id),
        lambda s: conversations.member_positions(s, made.id, user_id=stranger.id),
        lambda s: conversations.mark_position(s, made.id, user_id=stranger.id, epoch=epoch, offset=1),
    ):
        with pytest.raises(ConversationNotFound):
            await in_transaction(database, ask)
    await in_transaction(
        database, lambda s: conversations.mark_position(s, made.id, user_id=bob.id, epoch=epoch, offset=5)
    )
    (position,) = await in_transaction(database, lambda s: conversations.member_positions(s, made.id, user_id=bob.id))
    assert (position.user, position.offset) == (str(bob.id), 5)


async def test_crossing_marks_never_deadlock(database, talk):
    ada, bob, made, _, epoch = talk
    name = f"conversation:{made.id}"

    async def read(offset, people):
        await in_transaction(
            database, lambda s: service.mark_many(s, [Mark(name, str(p.id), epoch, offset) for p in people])
        )

    await asyncio.gather(*(read(1 + n % 5, (ada, bob) if n % 2 else (bob, ada)) for n in range(40)))
    found = await in_transaction(database, lambda s: service.members(s, name))
    assert [row.offset for row in found] == [5, 5]
