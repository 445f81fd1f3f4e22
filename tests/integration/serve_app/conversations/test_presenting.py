"""Conversations as responses."""

from db.conversations import service
from serve_app.conversations.presenting import present_conversation, present_message, present_summary
from tests.factories.auth import make_user
from tests.factories.conversations import make_conversation, make_message
from tests.fixtures.client import Api


async def test_links_follow_membership(api: Api):
    async with api.database.transaction() as session:
        ada, bob = await make_user(session), await make_user(session)
        lobby = await make_conversation(session, [ada], title="Lobby", is_public=True)
        message = await make_message(session, lobby, ada, "hello")
        hers = await service.get_conversation(session, lobby.id, user_id=ada.id)
        his = await service.get_conversation(session, lobby.id, user_id=bob.id)
    assert set(present_conversation(hers).links) == {"self", "messages", "post", "read"}
    assert set(present_conversation(his).links) == {"self", "messages", "join"}
    assert set(present_summary(his).links) == {"self"}
    assert present_conversation(his).last_message == present_message(message)
    assert [person.username for person in present_conversation(hers).participants] == [ada.username]
    assert present_message(message).model_dump(mode="json")["body"] == "hello"
