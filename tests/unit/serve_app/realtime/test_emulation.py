from collections.abc import AsyncIterator

import pytest

from serve_app.realtime import emulation
from serve_app.realtime.wire import JSON_STREAM_BODY
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.waiting import eventually


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


async def connected(world: World) -> tuple[Client, str]:
    client = Client(world.hub, wire=JSON_STREAM_BODY)
    await client.command("connect", token="good:u1")
    result = client.socket.messages[0]["connect"]
    assert result["node"] == world.hub.boot_id
    return client, result["session"]


async def test_commands_reach_the_session_that_they_name(world: World) -> None:
    client, session = await connected(world)
    _, other = await connected(world)
    assert session != other
    assert world.hub.emulate(session, b'{"id":2,"subscribe":{"channel":"plain:1"}}')
    assert world.hub.on_commands(session, b'{"id":3,"ping":{}}')
    await settle()
    assert {message["id"] for message in client.socket.messages} == {1, 2, 3}
    assert not world.hub.emulate("made up", b"{}")


async def test_a_connection_that_writes_itself_has_no_session(world: World) -> None:
    client = await world.connected()
    assert client.peer.connection.address is None
    result = client.socket.messages[0]["connect"]
    assert "session" not in result
    assert "node" not in result


async def test_a_lost_session_is_unknown_at_once(world: World) -> None:
    client, session = await connected(world)
    world.hub.lost(client.peer)
    assert not world.hub.emulate(session, b"{}")


async def test_a_session_that_we_closed_is_known_a_little_longer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation, "ENDED_S", 0.05)
    client, session = await connected(world)
    await world.sessions.revoke("u1")
    world.hub.lost(client.peer)
    assert world.hub.emulate(session, b'{"id":2,"ping":{}}')
    assert client.socket.closed == (3503, "force disconnect")
    await eventually(lambda: not world.hub.emulate(session, b"{}"))


async def test_native_pings_go_to_the_socket(world: World) -> None:
    client = Client(world.hub, native_ping=True)
    await client.command("connect", token="good:u1")
    client.peer.connection._ping_due = 0.0
    world.hub._on_due(client.peer)
    assert client.socket.pings == 1
    world.hub.ponged(client.peer)
    assert client.peer.connection._pong_due == float("inf")
