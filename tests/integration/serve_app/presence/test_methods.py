"""Users from rows and connections, over rpc."""

import json

import pytest

from actors.sessions.contract import SessionRecord
from serve_app.presence.methods import PresenceMethods
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers
from tests.fakes.brokers import FakeSessions


@pytest.fixture
async def sessions():
    made = FakeSessions()
    for client in ("c1", "c2"):
        made.register(SessionRecord(client, "u1", "", "hub", "websocket", 1), lambda accepted: None)
    return made


async def test_over_rpc(database, sessions):
    methods, handlers = PresenceMethods(database, lambda: sessions), Handlers()
    methods.register(handlers)
    assert set(handlers.rpc_methods) == {"presence.users", "presence.status"}
    caller = Caller("u1", "c1")
    own = json.loads(await methods.status(caller, b'{"status": "away", "message": "tea"}'))["users"][0]
    assert (own["status"], own["message"], own["online"]) == ("away", "tea", True)
    found = json.loads(await methods.users(caller, b'{"users": ["u2", "u1"]}'))["users"]
    assert [(user["user"], user["online"]) for user in found] == [("u2", False), ("u1", True)]
    for call, data, code in [
        (methods.users(Caller("", "c"), b'{"users": ["u1"]}'), None, 103),
        (methods.users(caller, b'{"users": []}'), None, 107),
        (methods.status(caller, b'{"status": "sleepy"}'), None, 107),
        (methods.status(caller, b"nonsense"), None, 107),
        (methods.users(caller, rb'{"users": ["a\u0000"]}'), None, 107),
        (methods.status(caller, rb'{"status": "away", "message": "a\u0000"}'), None, 107),
        (PresenceMethods(database, lambda: None).users(caller, b'{"users": ["u1"]}'), None, 100),
    ]:
        with pytest.raises(CallError) as refusal:
            await call
        assert (data, refusal.value.error.code) == (None, code)
