"""The rpc methods of read positions, and whom is told; the rows are in tests/integration/db/read_positions."""

import asyncio
import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from actors.brokers.contract import BrokerError, StreamPosition
from actors.protocol.namespaces import Namespaces
from db.effects import PositionRead
from db.errors import DatabaseUnavailable
from db.read_positions.service import OwnPosition
from serve_app.realtime import reading
from serve_app.realtime.calls import CallError
from serve_app.realtime.handlers import Caller, Handlers
from serve_app.realtime.reading import Reading, announcer

NAMESPACES = Namespaces.parse(
    """
namespaces:
  talk: &talk
    durable: true
    history_size: 10
    history_ttl: 1h
    read_positions: true
    push_read_positions: true
  quiet:
    <<: *talk
    push_read_positions: false
  room:
"""
)
CALLER = Caller("u1", "c1", channels=("talk:1", "quiet:1", "room:1"))


class Database:
    def __init__(self) -> None:
        self.transactions = 0
        self.away = False

    @asynccontextmanager
    async def transaction(self, **_):
        self.transactions += 1
        if self.away:
            raise DatabaseUnavailable
        yield "session"


@pytest.fixture
def world(monkeypatch):
    database = Database()
    made = SimpleNamespace(database=database, marked=[], reading=Reading(database, lambda: NAMESPACES))

    async def mark_many(session, marks):
        made.marked.append(marks)
        return [mark.epoch == "good" for mark in marks]

    async def own(session, user, channels):
        return [OwnPosition(channel, "good", 3, None, 4) for channel in channels]

    monkeypatch.setattr(reading.service, "mark_many", mark_many)
    monkeypatch.setattr(reading.service, "own", own)
    monkeypatch.setattr(reading, "GATHER_S", 0.01)
    return made


def mark(channel="talk:1", epoch="good", offset=1):
    return json.dumps({"channel": channel, "epoch": epoch, "offset": offset}).encode()


async def code_of(call):
    with pytest.raises(CallError) as refusal:
        await call
    return refusal.value.error.code


async def test_marks_that_gather_are_written_together(world):
    answers = await asyncio.gather(*(world.reading.read(CALLER, mark(offset=n)) for n in range(50)))
    assert answers == [b"{}"] * 50
    assert [len(batch) for batch in world.marked] == [50]
    assert world.database.transactions == 1
    await world.reading.read(CALLER, mark("quiet:1"))
    assert [len(batch) for batch in world.marked] == [50, 1]


async def test_refusals_have_their_codes(world):
    read, anonymous = world.reading.read, Caller("", "c2", channels=("talk:1",))
    assert await code_of(read(CALLER, b"nonsense")) == 107
    assert await code_of(read(CALLER, mark(offset=-1))) == 107
    assert await code_of(read(CALLER, mark(epoch="good\0"))) == 107, "no row holds it, nor those beside it"
    assert await code_of(read(CALLER, mark("talk:2"))) == 103, "not subscribed"
    assert await code_of(read(anonymous, mark())) == 103
    assert await code_of(read(CALLER, mark("room:1"))) == 108
    assert await code_of(read(CALLER, mark(epoch="old"))) == 112
    world.database.away = True
    assert await code_of(read(CALLER, mark())) == 100
    assert await code_of(world.reading.unread(CALLER, b'{"channels": ["talk:1"]}')) == 100


async def test_unread_is_answered_for_channels_that_one_is_in(world):
    answer = json.loads(await world.reading.unread(CALLER, b'{"channels": ["talk:1"]}'))
    assert answer == {"positions": [{"channel": "talk:1", "epoch": "good", "offset": 3, "unread": 4}]}
    assert await code_of(world.reading.unread(CALLER, b'{"channels": ["talk:9"]}')) == 103
    assert await code_of(world.reading.unread(CALLER, b'{"channels": 1}')) == 107


def test_both_methods_are_offered(world):
    handlers = Handlers()
    world.reading.register(handlers)
    assert set(handlers.rpc_methods) == {"read", "unread"}


async def test_members_are_told_where_the_namespace_says_so():
    class Brokers:
        def __init__(self):
            self.published = []

        async def publish(self, request):
            self.published.append(request)
            if len(self.published) == 1:
                raise BrokerError(100, "a courtesy may fail")
            return StreamPosition("", 0)

    brokers = Brokers()
    announce = announcer(lambda: brokers, lambda: NAMESPACES)
    effects = [PositionRead(channel, "u1", "e", 7, number=5) for channel in ("talk:1", "quiet:1", "gone:1", "talk:2")]
    await announce(effects)
    assert [request.channel for request in brokers.published] == ["talk:1", "talk:2"]
    assert brokers.published[0].skip_history, "it is no part of the stream it speaks of"
    assert json.loads(brokers.published[0].data) == {
        "type": "read", "user": "u1", "epoch": "e", "offset": 7, "number": 5,
    }  # fmt: skip
    await announcer(lambda: None, lambda: NAMESPACES)(effects)
