import json
from collections.abc import AsyncIterator

import pytest

from actors.brokers.contract import BrokerError
from serve_app.realtime.handlers import Caller
from tests.fixtures.hub import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


async def test_calls_are_answered(world: World) -> None:
    client = await world.subscribed("room:1")
    assert (await client.command("publish", channel="room:1", data={"a": 1}))["publish"] == {}
    history = (await client.command("history", channel="room:1", limit=-1))["history"]
    assert history["publications"][0]["info"]["user"] == "u1"
    assert set((await client.command("presence", channel="room:1"))["presence"]["presence"]) == {
        client.peer.connection.client
    }
    stats = (await client.command("presence_stats", channel="room:1"))["presence_stats"]
    assert stats == {"num_clients": 1, "num_users": 1}


async def test_the_brokers_refusals_are_answered_with_their_code(world: World) -> None:
    client = await world.connected()
    world.brokers.fail_with = BrokerError(111, "full")
    assert (await client.command("publish", channel="room:1", data=1))["error"]["code"] == 111
    assert (await client.command("subscribe", channel="room:1"))["error"]["code"] == 111
    assert len(world.hub.channels) == 0
    world.brokers.fail_with = None
    assert (await client.command("history", channel="room:1", since={"epoch": "x"}))["error"]["code"] == 112


async def test_rpc_methods_answer_fail_and_refuse(world: World) -> None:
    async def whoami(caller: Caller, data: bytes) -> bytes:
        if data == b'"fail"':
            raise RuntimeError
        if data == b'"odd"':
            return b"no json"
        return json.dumps({"user": caller.user}, indent=1).encode()

    world.handlers.rpc("whoami", whoami)
    client = await world.connected()
    assert (await client.command("rpc", method="whoami"))["rpc"]["data"] == {"user": "u1"}
    assert (await client.command("rpc", method="whoami", data="fail"))["error"]["code"] == 100
    assert (await client.command("rpc", method="whoami", data="odd"))["error"]["code"] == 100


async def test_permission_callbacks_decide(world: World) -> None:
    client = await world.connected()
    assert (await client.command("subscribe", channel="members:1"))["error"]["code"] == 108

    async def member(user: str, channel: str) -> bool:
        if channel == "members:broken":
            raise RuntimeError
        return (user, channel) == ("u1", "members:1")

    world.handlers.permission("member", member)
    assert "subscribe" in await client.command("subscribe", channel="members:1")
    assert (await client.command("subscribe", channel="members:2"))["error"]["code"] == 103
    assert (await client.command("subscribe", channel="members:broken"))["error"]["code"] == 100


async def test_messages_reach_the_application() -> None:
    world = World(handles_messages=True)
    heard: list[tuple[str, bytes]] = []

    async def hear(caller: Caller, data: bytes) -> None:
        if data == b"0":
            raise RuntimeError
        heard.append((caller.user, data))

    world.handlers.message(hear)
    client = await world.connected()
    await client.send({"send": {"data": 0}}, {"send": {"data": 1}})
    assert heard == [("u1", b"1")]
    await world.hub.stop()
    assert client.socket.closed == (3001, "shutdown")
