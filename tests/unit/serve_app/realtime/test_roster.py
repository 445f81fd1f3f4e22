"""What happens to connections of opted-in namespaces becomes changes of the roster; others cost nothing."""

from collections.abc import AsyncIterator

import pytest

from actors.brokers.contract import BrokerError
from db.session_events.kinds import BITS, OF_CONNECTIONS
from db.session_events.store import Change
from serve_app.realtime.roster import Roster
from tests.fixtures.hub import World

NAMESPACES = """
namespaces:
  plain:
    allow_subscribe_for_client: true
  desk:
    allow_subscribe_for_client: true
    join_leave: true
    session_events: [connected, disconnected, subscribed, unsubscribed, occupied, vacated]
  line:
    allow_subscribe_for_client: true
    session_events: [disconnected]
  hall:
    allow_subscribe_for_client: true
    session_events: [vacated]
"""


class Ledger:
    def __init__(self) -> None:
        self.changes: list[Change] = []

    def add(self, change: Change) -> None:
        self.changes.append(change)

    def said(self) -> list[tuple[str, str, int]]:
        said = [("enters" if c.enters else "leaves", c.channel, c.wanted) for c in self.changes]
        self.changes = []
        return said


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(namespaces=NAMESPACES)
    world.ledger = Ledger()  # type: ignore[attr-defined]
    world.hub.channels.roster = Roster(world.ledger, lambda: 1.0)  # type: ignore[attr-defined]
    yield world
    await world.hub.stop()


ALL = OF_CONNECTIONS | 60
OF_CHANNELS = ALL & ~OF_CONNECTIONS


async def test_a_namespace_that_does_not_ask_leaves_no_trace(world):
    client = await world.subscribed("plain:1")
    assert client.peer.roster is None
    world.hub.lost(client.peer)
    assert world.ledger.changes == []


async def test_a_connection_enters_with_its_first_channel_and_leaves_after_its_last(world):
    client = await world.subscribed("desk:1")
    await client.command("subscribe", channel="desk:2")
    assert world.ledger.said() == [
        ("enters", "", OF_CONNECTIONS),
        ("enters", "desk:1", OF_CHANNELS),
        ("enters", "desk:2", OF_CHANNELS),
    ]
    await client.command("unsubscribe", channel="desk:1")
    assert world.ledger.said() == [("leaves", "desk:1", OF_CHANNELS)]
    world.hub.lost(client.peer)
    assert world.ledger.said() == [("leaves", "desk:2", OF_CHANNELS), ("leaves", "", OF_CONNECTIONS)]
    world.hub.lost(client.peer)
    assert world.ledger.said() == []


async def test_who_they_are_and_why_they_left(world):
    client = await world.subscribed("desk:1")
    connection, channel = world.ledger.changes
    assert (connection.client, connection.user, connection.session) == (client.peer.connection.client, "u1", "s1")
    assert (connection.at_ms, connection.conn_info) == (1000, b"")
    assert channel.conn_info == b'{"name":"n"}', "what a leave shows to subscribers"
    world.hub.on_disconnect([client.peer.connection.client], 3503, "force disconnect")
    assert [change.code for change in world.ledger.changes if change.channel == "" and not change.enters] == [3503]


async def test_only_what_was_asked_for(world):
    client = await world.subscribed("line:1")
    await client.command("subscribe", channel="hall:1")
    assert world.ledger.said() == [("enters", "", BITS["disconnected"]), ("enters", "hall:1", BITS["vacated"])]


async def test_a_refused_subscription_was_never_there(world):
    client = await world.connected()
    world.brokers.fail_with = BrokerError(100, "no")
    await client.command("subscribe", channel="desk:1")
    world.hub.lost(client.peer)
    assert world.ledger.said() == []


async def test_everybody_stands_for_a_new_boot_id(world):
    one, two = await world.subscribed("desk:1"), await world.subscribed("hall:1", "u2")
    await world.subscribed("plain:1", "u3")
    roster = world.hub.channels.roster
    assert [(c.client, c.channel) for c in roster.standing(world.hub.peers)] == [
        (one.peer.connection.client, ""),
        (one.peer.connection.client, "desk:1"),
        (two.peer.connection.client, "hall:1"),
    ]
