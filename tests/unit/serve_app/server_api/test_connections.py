import base64
import time
from dataclasses import replace

import msgspec
import pytest

from actors.brokers.contract import BrokerError
from serve_app.server_api.registry import Refused
from tests.fixtures.hub import Client, World, settle
from tests.fixtures.server_api import ServerApi


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> ServerApi:
    return ServerApi(world)


async def test_a_user_is_subscribed_with_everything_that_was_said(world: World, server: ServerApi) -> None:
    client = await world.connected("u1")
    other = await world.connected("u2")
    await server.call("publish", channel="room:1", data="missed")
    body = {
        "info": {"seat": 1},
        "b64data": base64.b64encode(b'{"hello": 1}').decode(),
        "recover_since": {"offset": 0, "epoch": "epoch"},
        "override": {"presence": {"value": True}, "force_recovery": {"value": True}},
    }
    assert await server.call("subscribe", user="u1", channel="room:1", **body) == {}
    await settle()
    subscribed, missed = [push for push in client.pushes if "join" not in push]
    assert subscribed["subscribe"] == {
        "recoverable": True, "epoch": "epoch", "positioned": True, "data": {"hello": 1},
    }  # fmt: skip
    assert missed["pub"]["data"] == "missed"
    present = (await server.call("presence", channel="room:1"))["presence"]
    assert [info["chan_info"] for info in present.values()] == [{"seat": 1}]
    assert other.pushes == []
    await server.call("publish", channel="room:1", data="live")
    assert client.received == ["missed", "live"]
    assert await server.call("unsubscribe", user="u1", channel="room:1") == {}
    await settle()
    assert client.pushes[-1] == {"channel": "room:1", "unsubscribe": {"code": 2000, "reason": "server unsubscribe"}}


async def test_one_connection_or_one_login_session_is_meant_when_it_is_named(world: World, server: ServerApi) -> None:
    one, two = await world.connected("u1"), await world.connected("u1")
    await server.call("subscribe", user="u1", channel="room:1", client=one.peer.connection.client)
    await server.call("subscribe", user="u1", channel="room:2", session="no such session")
    await settle()
    assert set(one.peer.connection.subscriptions) == {"room:1"}
    assert two.peer.connection.subscriptions == {}
    await server.call("unsubscribe", user="u1")
    assert one.peer.connection.subscriptions == {}, "without a channel: all of them"


async def test_a_channel_that_cannot_exist_is_refused(world: World, server: ServerApi) -> None:
    world.brokers.fail_with = None

    async def unknown(channel: str) -> None:
        raise BrokerError(102, "unknown channel")

    world.brokers.presence_stats = unknown  # type: ignore[assignment, method-assign]
    for method in ("subscribe", "unsubscribe"):
        with pytest.raises(BrokerError):
            await server.call(method, user="u1", channel="nowhere:1")

    async def without_presence(channel: str) -> None:
        raise BrokerError(108, "not available")

    world.brokers.presence_stats = without_presence  # type: ignore[assignment, method-assign]
    assert await server.call("subscribe", user="u1", channel="room:1") == {}


async def test_the_server_subscribes_nobody_to_a_map(world: World, server: ServerApi) -> None:
    client = await world.connected("u1")
    with pytest.raises(Refused) as refused:
        await server.call("subscribe", user="u1", channel="board:1")
    assert refused.value.code == 107
    # A process that does not know the channel's rules leaves it to the one that holds the connection.
    server.context = replace(server.context, namespaces=None)
    assert await server.call("subscribe", user="u1", channel="board:1") == {}
    await settle()
    assert (client.peer.connection.subscriptions, client.pushes) == ({}, [])


async def test_a_subscription_whose_end_is_past_is_refused(world: World, server: ServerApi) -> None:
    client = await world.connected("u1")
    with pytest.raises(Refused) as refused:
        await server.call("subscribe", user="u1", channel="room:1", expire_at=int(time.time()) - 1)
    assert refused.value.code == 107
    await server.call("subscribe", user="u1", channel="room:1", expire_at=int(time.time()) + 60)
    await settle()
    assert set(client.peer.connection.subscriptions) == {"room:1"}


async def test_a_subscription_ends_with_the_code_that_was_said(world: World, server: ServerApi) -> None:
    client = await world.subscribed("room:1", "u1")
    await client.command("subscribe", channel="plain:1")
    for channel, ending in (("room:1", {"code": 2502}), ("plain:1", {"code": 2600, "reason": "moved"})):
        assert await server.call("unsubscribe", user="u1", channel=channel, unsubscribe=ending) == {}
    await settle()
    ends = [push["unsubscribe"] for push in client.pushes if "unsubscribe" in push]
    assert ends == [{"code": 2502, "reason": "state invalidated"}, {"code": 2600, "reason": "moved"}]
    await server.call("subscribe", user="u1", channel="room:1")
    await settle()
    await server.call("unsubscribe", user="u1", channel="room:1", unsubscribe={"code": 2502})
    assert client.socket.closed == (3014, "state invalidated"), "its SDK cannot subscribe again by itself"
    for code in (2001, 2550):
        with pytest.raises(Refused) as refused:
            await server.call("unsubscribe", user="u1", channel="room:1", unsubscribe={"code": code})
        assert refused.value.code == 107
    for code in (1999, 3000):
        with pytest.raises(msgspec.ValidationError):
            await server.call("unsubscribe", user="u1", channel="room:1", unsubscribe={"code": code})


async def test_disconnecting_a_user(world: World, server: ServerApi) -> None:
    one, two = await world.connected("u1"), await world.connected("u1")
    assert await server.call("disconnect", user="u1", whitelist=[two.peer.connection.client]) == {}
    assert (one.socket.closed, two.socket.closed) == ((3503, "force disconnect"), None)
    await server.call("disconnect", user="u1", disconnect={"code": 4001, "reason": "maintenance"})
    assert two.socket.closed == (4001, "maintenance")
    for code in (1000, 5000):
        with pytest.raises(msgspec.ValidationError):
            await server.call("disconnect", user="u1", disconnect={"code": code})


async def test_refreshing_a_user(world: World, server: ServerApi) -> None:
    client = await world.connected("u1")
    assert await server.call("refresh", user="u1", expire_at=4_000) == {}
    await settle()
    assert client.pushes[-1]["refresh"] == {"expires": True, "ttl": 3_000}
    await server.call("refresh", user="u1")
    assert client.peer.connection.expires_at is None
    await server.call("refresh", user="u1", expired=True)
    assert client.socket.closed == (3005, "connection expired")


async def test_a_message_reaches_every_connection_of_a_user(world: World, server: ServerApi) -> None:
    one, two, other = [await world.connected(user) for user in ("u1", "u1", "u2")]
    assert await server.call("send", user="u1", data={"a": 1}) == {"num_clients": 2}
    await settle()
    assert one.pushes == two.pushes == [{"message": {"data": {"a": 1}}}]
    assert other.pushes == []
    assert await server.call("send", user="u1", data=2, client=two.peer.connection.client) == {"num_clients": 1}
    with pytest.raises(Refused) as refused:
        await server.call("send", user="u1")
    assert refused.value.code == 107


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "refresh", "disconnect", "send"])
async def test_an_order_to_nobody_in_particular_is_refused(server: ServerApi, method: str) -> None:
    with pytest.raises(Refused) as refused:
        await server.call(method, user="", channel="room:1", data=1)
    assert refused.value.code == 107


async def test_a_connection_without_a_user_is_addressed_by_its_id() -> None:
    world = World(anonymous=True)
    server = ServerApi(world)
    one, other = Client(world.hub), Client(world.hub)
    for client in (one, other):
        assert "connect" in await client.command("connect")
    meant = one.peer.connection.client
    await server.call("subscribe", client=meant, channel="room:1")
    await settle()
    assert set(one.peer.connection.subscriptions) == {"room:1"}
    assert await server.call("send", user="", client=meant, data=1) == {"num_clients": 1}
    await server.call("unsubscribe", client=meant, channel="room:1")
    await server.call("refresh", client=meant, expire_at=4_000)
    await settle()
    assert [next(kind for kind in push if kind != "channel") for push in one.pushes] == [
        "subscribe", "join", "message", "unsubscribe", "refresh",
    ]  # fmt: skip
    await server.call("disconnect", client=meant)
    assert one.socket.closed == (3503, "force disconnect")
    assert (other.pushes, other.socket.closed) == ([], None)
    await world.hub.stop()
