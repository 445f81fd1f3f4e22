from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from actors.brokers.contract import BrokerError, ClientInfo, SubscribeRequest
from db.read_positions import service
from db.read_positions.service import MemberPosition
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


class Rows:
    """A database whose transactions do nothing."""

    @asynccontextmanager
    async def transaction(self, *, read_only: bool) -> AsyncIterator[None]:
        assert read_only
        yield None


async def test_how_far_users_have_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def members(_session: None, channel: str) -> list[MemberPosition]:
        return [MemberPosition("ann", "epoch", 7, datetime(2026, 1, 2, tzinfo=UTC))] if channel == "talk:1" else []

    monkeypatch.setattr(service, "members", members)
    rules = "namespaces:\n  talk: {durable: true, read_positions: true, history_size: 9, history_ttl: 1d}\n  mute:\n"
    server = ServerApi(World(namespaces=rules))
    server.context = replace(server.context, database=Rows())  # type: ignore[arg-type]
    told = await server.call("read_positions", channel="talk:1")
    assert told == {"positions": [{"user": "ann", "epoch": "epoch", "offset": 7, "read_at": "2026-01-02T00:00:00Z"}]}
    assert await server.call("read_positions", channel="talk:2") == {"positions": []}
    for channel in ("mute:1", "nowhere:1", "talk:\0"):
        with pytest.raises(Refused) as refused:
            await server.call("read_positions", channel=channel)
        assert refused.value.code == 108
