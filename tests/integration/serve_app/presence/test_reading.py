"""Users from rows and connections, for REST, rpc and the server API alike."""

import pytest

from actors.sessions.contract import SessionRecord, SessionsUnreachable
from db.errors import Unavailable
from serve_app.presence.reading import present_users
from tests.fakes.brokers import FakeSessions


@pytest.fixture
async def sessions():
    made = FakeSessions()
    for client in ("c1", "c2"):
        made.register(SessionRecord(client, "u1", "", "hub", "websocket", 1), lambda accepted: None)
    return made


async def test_online_is_one_connection_or_more(database, sessions):
    one, other = await present_users(database, sessions, ["u1", "u2"])
    assert (one.online, one.connections, one.last_active_at is not None) == (True, 2, True)
    assert (other.online, other.connections, other.last_active_at) == (False, 0, None)


async def test_shards_that_cannot_be_reached_are_said(database, sessions, monkeypatch):
    async def away(user):
        raise SessionsUnreachable("away")

    monkeypatch.setattr(sessions, "connections", away)
    with pytest.raises(Unavailable):
        await present_users(database, sessions, ["u1"])
