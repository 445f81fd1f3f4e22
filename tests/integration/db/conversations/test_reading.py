"""From positions of the stream to messages, and back."""

from db.conversations import reading
from tests.factories.conversations import make_conversation, make_message
from tests.fixtures.outbox import relay_all
from tests.fixtures.transactions import in_transaction


async def test_other_channels_and_users_are_no_concern(database):
    strange = [("room:a", "u", 1), ("conversation:x", "u", 1), ("conversation:not-a-uuid", "also not", 1)]
    assert await in_transaction(database, lambda s: reading.follow_positions(s, strange)) == {}


async def test_a_message_is_found_at_its_position(database, database_url):
    async def start(session):
        talk = await make_conversation(session)
        return talk, [await make_message(session, talk, talk.participants[0].user) for _ in range(2)]

    talk, messages = await in_transaction(database, start)
    name = f"conversation:{talk.id}"
    newest = messages[1].outbox_id
    assert await in_transaction(database, lambda s: reading.position_of(s, name, newest)) is None, "not out yet"
    epoch = (await relay_all(database_url, "conversation"))[0].epoch
    assert await in_transaction(database, lambda s: reading.position_of(s, name, newest)) == (epoch, 2)
    assert await in_transaction(database, lambda s: reading.position_of(s, name, None)) is None
