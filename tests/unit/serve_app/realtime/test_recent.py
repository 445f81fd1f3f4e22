"""The last frames of connections, as operators are shown them."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from actors.protocol import frames
from actors.protocol.protobuf_codec import PROTOBUF, WIRE
from serve_app.edge.arrival import Arrival
from serve_app.realtime import questions as ask
from serve_app.realtime.environment import Limits
from serve_app.realtime.recent import FIRST_BYTES, FRAME_BYTES, QUIET_S, Recent
from serve_app.realtime.wire import PROTOBUF_MESSAGES
from tests.fixtures.hub import Client, World, settle


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


def seen(world: World, client: Client) -> list[tuple[str, Any]]:
    """What is shown of a connection that is there, or that has ended."""
    name = client.peer.connection.client
    page = msgspec.msgpack.decode(
        world.hub.on_question(ask.encode(ask.AskConnections(client=name))), type=ask.ConnectionPage
    )
    if page.connections:
        return events(page.connections[0].frames)
    ended = msgspec.msgpack.decode(world.hub.on_question(ask.encode(ask.AskEndings(client=name))), type=ask.EndingPage)
    return events(ended.endings[0].frames)


def events(shown: Any) -> list[tuple[str, Any]]:
    assert all(event["client"] and event["at"] > 0 for event in shown)
    return [(event["kind"], event["frame"]) for event in shown]


async def test_an_idle_connection_keeps_nothing(world: World) -> None:
    client = await world.connected()
    assert client.peer.recent == ()
    world.hub.apply(client.peer, client.peer.connection.tick(world.hub._loop.time() + 30))
    await client.send({})
    assert client.socket.messages[-1] == {}, "pinged"
    assert client.socket.closed is None, "and answered"
    assert seen(world, client) == []


async def test_the_last_frames_of_a_connection_are_shown_also_when_it_has_ended(world: World) -> None:
    client = await world.connected()
    for channel in ("plain:1", "plain:2", "closed:1"):
        await client.command("subscribe", channel=channel, token="secret" if channel == "closed:1" else "")
    await world.publish("plain:1", "to all")
    shown = seen(world, client)
    assert [kind for kind, _ in shown] == ["in", "out", "in", "out"]
    assert shown[0][1]["subscribe"]["channel"] == "plain:2"
    assert shown[1][1]["subscribe"] == {}
    assert "secret" not in str(shown)
    assert shown[3][1]["error"]["code"] == 103
    await client.send({"id": 9, "nonsense": 1})
    assert client.socket.closed is not None
    assert [kind for kind, _ in seen(world, client)] == ["out", "in", "out", "in"]
    assert seen(world, client)[-1] == ("in", {"id": 9, "nonsense": 1})


async def test_what_a_connection_was_refused_for_is_shown(world: World) -> None:
    client = Client(world.hub, Arrival("10.0.0.1"))
    await client.send({"id": 1, "connect": {"token": "secret", "name": "js"}})
    assert client.socket.closed == (3500, "invalid token")
    ((kind, frame),) = seen(world, client)
    assert (kind, frame["connect"]["name"]) == ("in", "js")
    assert "secret" not in str(frame)
    told = Client(world.hub)
    await told.command("connect", token="expired")
    world.hub.lost(told.peer)
    ((kind, frame),) = seen(world, told)
    assert (kind, frame["error"]["code"]) == ("out", 109)
    long = Client(world.hub)
    await long.send({"id": 1, "connect": {"token": "x" * FIRST_BYTES}})
    ((_, frame),) = seen(world, long)
    assert frame["bytes"] > FIRST_BYTES
    assert world.hub._recent._first is None, "nobody's frame is kept for another"


async def test_the_frame_that_an_error_of_ours_ended_a_newcomer_with_is_shown_and_kept_for_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(world.hub)

    def fail(*_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(client.peer.connection), "_connect", fail)
    with pytest.raises(RuntimeError):
        await client.send({"id": 1, "connect": {"token": "secret", "name": "js"}})
    monkeypatch.undo()
    assert world.hub._recent._first is None
    await world.connected()
    world.hub.lost(client.peer)
    ((kind, frame),) = seen(world, client)
    assert (kind, frame["connect"]["name"]) == ("in", "js")


async def test_long_frames_are_remembered_by_their_length(world: World) -> None:
    async def echo(_caller: Any, data: bytes) -> bytes:
        return data

    world.handlers.rpc("echo", echo)
    client = await world.connected()
    await client.command("rpc", method="echo", data="x" * FRAME_BYTES)
    shown = seen(world, client)
    assert [kind for kind, _ in shown] == ["in", "out"]
    assert all(list(frame) == ["bytes"] and frame["bytes"] > FRAME_BYTES for _, frame in shown)


async def test_who_says_nothing_for_long_keeps_nothing(world: World) -> None:
    client = await world.subscribed("plain:1")
    now = world.hub._loop.time()
    world.hub._recent.settle(client.peer, now + QUIET_S - 1)
    assert client.peer.recent
    world.hub._recent.settle(client.peer, now + QUIET_S + 1)
    assert client.peer.recent == ()


async def test_frames_in_protobuf_are_readable_too(world: World) -> None:
    client = Client(world.hub, wire=PROTOBUF_MESSAGES)
    for number, body in enumerate((
        {"connect": frames.ConnectRequest(token="good:u1")}, {"subscribe": frames.SubscribeRequest("plain:1")},
    ), 1):  # fmt: skip
        content = WIRE.encode(frames.Command(id=number, **body))
        world.hub.receive(client.peer, bytes([len(content)]) + content)
        await settle()
    world.hub.receive(client.peer, PROTOBUF.ping)
    assert [(kind, frame["id"]) for kind, frame in seen(world, client)] == [("in", 2), ("out", 2)]


async def test_it_can_be_switched_off() -> None:
    world = World(limits=Limits(last_frames=0))
    client = await world.subscribed("plain:1")
    assert client.peer.recent is None
    assert seen(world, client) == []
    recent = Recent(0, lambda: 0.0, lambda: 0.0)
    assert recent.last(client.peer) == ()
    await world.hub.stop()
