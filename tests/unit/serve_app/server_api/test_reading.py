import pytest

from actors.brokers.contract import BrokerError, ClientInfo, SubscribeRequest
from serve_app.server_api.registry import Grant, Refused
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> ServerApi:
    return ServerApi(world)


def joined(channel: str) -> SubscribeRequest:
    return SubscribeRequest(channel, 1, ClientInfo("u", "c"), presence=True)


async def test_presence_and_channels(world: World, server: ServerApi) -> None:
    world.brokers.streams["room:1"].subscribers[1] = joined("room:1")
    assert await server.call("presence", channel="room:1") == {"presence": {"c": {"user": "u", "client": "c"}}}
    assert await server.call("presence_stats", channel="room:1") == {"num_clients": 1, "num_users": 1}
    assert await server.call("channels", pattern="room:*") == {"channels": {"room:1": {"num_clients": 1}}}
    assert await server.call("channels", pattern="x*") == {"channels": {}}


async def test_a_limited_key_sees_its_namespaces_channels_only(world: World) -> None:
    for channel in ("room:1", "plain", "$room:2"):
        world.brokers.streams[channel].subscribers[1] = joined(channel)
    room = ServerApi(world, Grant(permissions=frozenset({"realtime:read"}), namespaces=frozenset({"room"})))
    assert set((await room.call("channels"))["channels"]) == {"room:1", "$room:2"}
    default = ServerApi(world, Grant(permissions=frozenset({"realtime:read"}), namespaces=frozenset({"default"})))
    assert set((await default.call("channels"))["channels"]) == {"plain"}


async def test_history_is_removed_and_wrong_questions_are_refused(server: ServerApi) -> None:
    await server.call("publish", channel="room:1", data=1)
    assert await server.call("history_remove", channel="room:1") == {}
    assert (await server.call("history", channel="room:1", limit=-5))["publications"] == []
    with pytest.raises(Refused):
        await server.call("history", channel="room:1", reverse=True, since={"offset": 0, "epoch": "epoch"})
    with pytest.raises(BrokerError):
        await server.call("history", channel="room:1", since={"offset": 1, "epoch": "other"})
