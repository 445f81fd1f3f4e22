"""Conversations and messages."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from db.audit import service as audit
from db.conversations.service import is_participant
from tests.fixtures.client import Api, Person, SignIn, assert_problem
from tests.fixtures.outbox import relay_all


@pytest.fixture
async def pair(sign_in: SignIn) -> tuple[Person, Person]:
    return await sign_in(), await sign_in()


async def start(person: Person, *others: Person, **body: object) -> dict[str, object]:
    names = [other.user.username for other in others]
    response = await person.http.post("/api/v1/conversations", json={"participant_usernames": names} | body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/api/v1/conversations/{response.json()['id']}"
    conversation: dict[str, object] = response.json()
    return conversation


async def say(person: Person, conversation: dict[str, object], body: str) -> httpx.Response:
    return await person.http.post(f"/api/v1/conversations/{conversation['id']}/messages", json={"body": body})


async def test_two_people_talk(api: Api, pair: tuple[Person, Person]):
    ada, bob = pair
    conversation = await start(ada, bob, title="Lamps")
    assert conversation["channel"] == f"conversation:{conversation['id']}"
    for number in range(1, 4):
        message = (await say(ada, conversation, f"hello {number}")).json()
        assert (message["number"], message["author"]["username"]) == (number, ada.user.username)
    assert [conversation["channel"]] in api.poked.made or any(
        conversation["channel"] in channels for channels in api.poked.made
    )

    seen = (await bob.http.get("/api/v1/conversations")).json()["items"][0]
    assert (seen["id"], seen["unread_count"], seen["last_message"]["body"]) == (conversation["id"], 3, "hello 3")
    path = f"/api/v1/conversations/{conversation['id']}"
    page = (await bob.http.get(f"{path}/messages", params={"limit": 2})).json()
    assert [item["body"] for item in page["items"]] == ["hello 3", "hello 2"]
    older = (await bob.http.get(f"{path}/messages", params={"limit": 2, "cursor": page["next"]})).json()
    assert [item["body"] for item in older["items"]] == ["hello 1"]
    assert older["next"] is None
    read = await bob.http.post(f"{path}/read", json={"message_id": page["items"][0]["id"]})
    assert read.status_code == 204
    assert (await bob.http.get(path)).json()["unread_count"] == 0


async def test_strangers_see_nothing(pair: tuple[Person, Person], sign_in: SignIn):
    ada, bob = pair
    conversation = await start(ada, bob)
    message = (await say(ada, conversation, "secret")).json()
    eve = await sign_in()
    path = f"/api/v1/conversations/{conversation['id']}"
    for response in (
        await eve.http.get(path),
        await eve.http.get(f"{path}/messages"),
        await say(eve, conversation, "hi"),
        await eve.http.post(f"{path}/join"),
        await eve.http.post(f"{path}/read", json={"message_id": message["id"]}),
    ):
        assert_problem(response, 404, "conversation_not_found")
    assert (await eve.http.get("/api/v1/conversations")).json()["items"] == []


async def test_public_ones_are_joined_before_speaking(pair: tuple[Person, Person]):
    ada, bob = pair
    conversation = await start(ada, title="Lobby", is_public=True)
    assert (await bob.http.get("/api/v1/conversations")).json()["items"][0]["is_member"] is False
    assert_problem(await say(bob, conversation, "hi"), 403, "not_a_participant")
    joined = await bob.http.post(f"/api/v1/conversations/{conversation['id']}/join")
    assert joined.json()["is_member"] is True
    assert "post" in joined.json()["_links"]
    assert (await say(bob, conversation, "hi")).status_code == 201


async def test_mistakes(pair: tuple[Person, Person]):
    ada, bob = pair
    unknown = await ada.http.post("/api/v1/conversations", json={"participant_usernames": ["nobody-here"]})
    assert_problem(unknown, 404, "user_not_found")
    alone = await ada.http.post("/api/v1/conversations", json={})
    assert_problem(alone, 422, "invalid_input")
    conversation = await start(ada, bob)
    for body in ("", "   ", "x" * 4001, "nul\x00"):
        assert_problem(await say(ada, conversation, body), 422, "validation_failed")
    path = f"/api/v1/conversations/{conversation['id']}/read"
    missing = await ada.http.post(path, json={"message_id": "00000000-0000-7000-8000-000000000000"})
    assert_problem(missing, 404, "message_not_found")


async def test_strangers_need_to_sign_in(client: httpx.AsyncClient):
    assert_problem(await client.get("/api/v1/conversations"), 401, "authentication_required")


async def test_cursors(pair: tuple[Person, Person]):
    ada, bob = pair
    made = [(await start(ada, bob, title=str(number)))["id"] for number in range(3)]
    first = (await ada.http.get("/api/v1/conversations", params={"cursor": "", "limit": 2})).json()
    second = (await ada.http.get("/api/v1/conversations", params={"cursor": first["next"], "limit": 2})).json()
    assert [item["id"] for item in first["items"] + second["items"]] == list(reversed(made))


async def test_read_positions_of_those_who_take_part(api: Api, pair: tuple[Person, Person], sign_in: SignIn):
    ada, bob = pair
    conversation = await start(ada, bob)
    for number in range(3):
        await say(ada, conversation, f"hello {number}")
    epoch = (await relay_all(api.database.url, "conversation"))[0].epoch
    path = f"/api/v1/conversations/{conversation['id']}"
    before = (await bob.http.get(f"{path}/read-position")).json()
    assert (before["offset"], before["read_at"], before["unread"]) == (0, None, 3)
    marked = await bob.http.put(f"{path}/read-position", json={"epoch": epoch, "offset": 2})
    assert (marked.status_code, marked.json()["offset"], marked.json()["unread"]) == (200, 2, 1)
    back = await bob.http.put(f"{path}/read-position", json={"epoch": epoch, "offset": 1})
    assert back.json()["offset"] == 2
    (seen,) = (await ada.http.get(f"{path}/read-positions")).json()["items"]
    assert (seen["user_id"], seen["epoch"], seen["offset"]) == (str(bob.user.id), epoch, 2)
    participants = (await ada.http.get(path)).json()["participants"]
    assert {p["username"]: p["last_read_number"] for p in participants}[bob.user.username] == 2
    assert_problem(
        await bob.http.put(f"{path}/read-position", json={"epoch": epoch, "offset": 9}), 409, "position_unknown"
    )
    stranger = await sign_in()
    for ask in (stranger.http.get(f"{path}/read-position"), stranger.http.get(f"{path}/read-positions")):
        assert_problem(await ask, 404, "conversation_not_found")


async def test_a_moderator_removes_a_conversation_for_everybody(api: Api, pair: tuple[Person, Person], sign_in: SignIn):
    ada, bob = pair
    moderator = await sign_in(roles=("operator",))
    conversation = await start(ada, bob, title="Lamps")
    path = f"/api/v1/conversations/{conversation['id']}"
    assert_problem(await ada.http.delete(path), 403, "permission_denied")
    assert (await moderator.http.delete(path)).status_code == 204
    for person in pair:
        assert_problem(await person.http.get(path), 404, "conversation_not_found")
        assert_problem(await say(person, conversation, "still here?"), 404, "conversation_not_found")
        assert (await person.http.get("/api/v1/conversations")).json()["items"] == []
    async with api.database.transaction(read_only=True) as session:
        assert not await is_participant(session, UUID(str(conversation["id"])), ada.user.id), "nobody may subscribe"
        (entry,) = (await audit.list_entries(session, action="conversation.removed")).items
        told = await session.scalar(text("SELECT data FROM app.outbox ORDER BY id DESC LIMIT 1"))
    assert (entry.actor_id, entry.subject_id) == (moderator.user.id, conversation["id"])
    assert told == {"type": "removed"}, "who has it open"
    assert_problem(await moderator.http.delete(path), 404, "conversation_not_found")


async def test_messages_are_removed_by_their_authors_and_by_moderators(pair: tuple[Person, Person], sign_in: SignIn):
    ada, bob = pair
    moderator = await sign_in(roles=("operator",))
    conversation = await start(ada, bob, title="Lamps")
    messages = f"/api/v1/conversations/{conversation['id']}/messages"
    own, rude = [(await say(ada, conversation, text)).json()["id"] for text in ("a slip", "rude")]
    assert_problem(await bob.http.delete(f"{messages}/{own}"), 404, "message_not_found")
    assert (await ada.http.delete(f"{messages}/{own}")).status_code == 204
    assert (await moderator.http.delete(f"{messages}/{rude}")).status_code == 204
    assert (await bob.http.get(messages)).json()["items"] == []
