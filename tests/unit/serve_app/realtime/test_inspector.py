import msgspec
import pytest

from serve_app.realtime import questions as ask
from serve_app.realtime.inspector import ENDINGS_KEPT
from tests.fixtures.hub import Client, World


@pytest.fixture
async def world() -> World:
    return World()


def asked(world: World, question: ask.AnyQuestion, answer: type[object]) -> object:
    return msgspec.msgpack.decode(world.hub.on_question(ask.encode(question)), type=answer)


def page(world: World, **conditions: object) -> ask.ConnectionPage:
    found = asked(world, ask.AskConnections(**conditions), ask.ConnectionPage)  # type: ignore[arg-type]
    assert isinstance(found, ask.ConnectionPage)
    return found


async def test_it_counts_what_the_process_holds(world: World) -> None:
    await world.subscribed("room:1", "u1")
    await world.subscribed("room:1", "u1")
    await world.subscribed("room:2", "u2")
    node = asked(world, ask.AskNode(), ask.NodeReport)
    assert isinstance(node, ask.NodeReport)
    assert (node.hub, node.connections, node.users, node.subscriptions, node.channels) == ("hub-1", 3, 2, 3, 2)
    assert node.transports == {"json/messages": 3}
    assert node.rss_bytes > 1_000_000
    assert node.name


async def test_it_shows_who_is_connected_and_to_what(world: World) -> None:
    one = await world.subscribed("room:1", "u1")
    two = await world.subscribed("room:2", "u2")
    one.socket.queued = 17
    Client(world.hub)
    (held,) = page(world, user="u1").connections
    assert (held.client, held.user, held.state) == (one.peer.connection.client, "u1", "connected")
    assert (held.transport, held.queue_bytes, held.commands, held.opened_ms) == ("json/messages", 17, 0, 1_000_000)
    assert [(channel.channel, channel.state, channel.server_side) for channel in held.channels] == [
        ("room:1", "live", False)
    ]
    assert [found.user for found in page(world, channel="room:2").connections] == ["u2"]
    assert [found.state for found in page(world, user="").connections] == ["new"], "anonymous, or not known yet"
    assert page(world, session="no such").total == 0
    (found,) = page(world, client=two.peer.connection.client).connections
    assert found.user == "u2"
    assert page(world, client="no such").connections == []


async def test_it_shows_how_far_a_channel_was_written_and_who_its_token_says_it_is(world: World) -> None:
    client = await world.subscribed("room:1", "u1")
    await world.publish("room:1", "hello")
    (held,) = page(world, user="u1").connections
    (channel,) = held.channels
    assert channel.epoch, "the stream has an epoch"
    assert channel.offset == 1
    assert held.info == client.peer.connection.info.conn_info


async def test_it_says_which_rules_are_in_force(world: World) -> None:
    report = asked(world, ask.AskNamespaces(), ask.NamespacesReport)
    assert isinstance(report, ask.NamespacesReport)
    assert (report.hub, report.version, report.mistakes) == ("hub-1", world.env.namespaces.version, [])
    assert set(report.namespaces) == set(world.env.namespaces.names)
    assert report.namespaces["room"]["history_ttl"]
    other = World(namespaces="namespaces:\n  default: {presence: true}\n", mistakes=lambda: ["line 2: a mistake"])
    report = asked(other, ask.AskNamespaces(), ask.NamespacesReport)
    assert isinstance(report, ask.NamespacesReport)
    assert (report.namespaces, report.mistakes) == ({"default": {"presence": True}}, ["line 2: a mistake"])


async def test_it_is_read_in_pages(world: World) -> None:
    for _ in range(3):
        await world.connected()
    first = page(world, limit=2)
    assert (first.total, len(first.connections)) == (3, 2)
    rest = page(world, limit=2, after=first.connections[-1].client)
    clients = [held.client for held in (*first.connections, *rest.connections)]
    assert clients == sorted(world.hub._peers)
    assert page(world, limit=-1).connections == []


async def test_long_lists_of_channels_are_cut_unless_the_connection_is_asked_for(world: World) -> None:
    client = await world.connected()
    for number in range(ask.CHANNELS_SHOWN + 5):
        await client.command("subscribe", channel=f"room:{number:02}")
    (held,) = page(world).connections
    assert (held.channel_count, len(held.channels)) == (ask.CHANNELS_SHOWN + 5, ask.CHANNELS_SHOWN)
    (whole,) = page(world, client=client.peer.connection.client).connections
    assert len(whole.channels) == ask.CHANNELS_SHOWN + 5


async def test_it_remembers_how_connections_ended(world: World) -> None:
    gone = await world.connected("u1")
    world.hub.lost(gone.peer)
    slow = await world.connected("u2")
    slow.socket.queued = 2_000_000
    world.hub.on_disconnect([slow.peer.connection.client], 3008, "slow")
    world.hub.lost(slow.peer)
    found = asked(world, ask.AskEndings(), ask.EndingPage)
    assert isinstance(found, ask.EndingPage)
    assert [(ending.user, ending.code, ending.queue_bytes) for ending in found.endings] == [
        ("u2", 3008, 2_000_000),
        ("u1", 0, 0),
    ]
    of_one = asked(world, ask.AskEndings(user="u1"), ask.EndingPage)
    assert isinstance(of_one, ask.EndingPage)
    assert [ending.client for ending in of_one.endings] == [gone.peer.connection.client]
    only = asked(world, ask.AskEndings(limit=1), ask.EndingPage)
    assert isinstance(only, ask.EndingPage)
    assert [ending.user for ending in only.endings] == ["u2"]


async def test_what_it_remembers_is_bounded(world: World) -> None:
    for _ in range(ENDINGS_KEPT + 10):
        client = Client(world.hub)
        world.hub.lost(client.peer)
    assert len(world.hub._inspector._endings) == ENDINGS_KEPT


async def test_a_question_that_it_does_not_understand_is_answered_with_nothing(world: World) -> None:
    assert world.hub.on_question(b"\x91\x63") == b""
    assert world.hub.on_question(b"") == b""
