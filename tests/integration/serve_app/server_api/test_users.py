"""Users from rows and connections, over the server API."""

import pytest

from actors.sessions.contract import SessionRecord
from db.errors import InvalidInput
from serve_app.realtime.handlers import Handlers
from serve_app.server_api import users
from serve_app.server_api.registry import Context, Grant, Refused, Shards
from tests.fakes.brokers import FakeSessions


@pytest.fixture
async def sessions():
    made = FakeSessions()
    for client in ("c1", "c2"):
        made.register(SessionRecord(client, "u1", "", "hub", "websocket", 1), lambda accepted: None)
    return made


async def test_over_the_server_api(database, sessions):
    context = Context(Shards(None, sessions), Grant(everything=True), Handlers(database))  # type: ignore[arg-type]
    assert await users.set_user_status(context, users.UserStatus(["u2", "u1"], "busy")) == {}
    found = (await users.user_presence(context, users.Users(["u1", "u2"])))["users"]
    assert [(user.user, user.online, user.status) for user in found] == [("u1", True, "busy"), ("u2", False, "busy")]
    with pytest.raises(InvalidInput, match="a status is one of"):
        await users.set_user_status(context, users.UserStatus(["u1"], "sleepy"))
    with pytest.raises(Refused):
        await users.user_presence(
            Context(Shards(None, sessions), Grant(everything=True), Handlers()),  # type: ignore[arg-type]
            users.Users(["u1"]),
        )
