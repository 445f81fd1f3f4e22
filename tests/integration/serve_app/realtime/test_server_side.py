"""Subscriptions that the server chooses, as the official SDKs, unmodified, see them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.brokers.contract import PublishRequest
from actors.protocol.codes import UNSUBSCRIBE_INSUFFICIENT, UNSUBSCRIBE_SERVER
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.hub import Hub
from serve_app.realtime.server_side import ServerSubscription
from tests.fixtures.cable import cable
from tests.fixtures.local_shards import LocalShards
from tests.fixtures.realtime_server import RealtimeServer, realtime_settings, serve_realtime
from tests.fixtures.sdk import ROOT, SDKS, Sdk
from tests.fixtures.waiting import eventually

PERSONAL = "user:#ann"


class World:
    def __init__(self, server: RealtimeServer, shards: LocalShards) -> None:
        self.server = server
        self.shards = shards

    @property
    def hub(self) -> Hub:
        assert self.server.application.hub is not None
        return self.server.application.hub

    async def connect(self, sdk: Sdk, port: int) -> str:
        """Connect as ann; returns the client id."""

        async def token() -> str:
            return self.server.token("ann")

        await sdk.connect(f"ws://127.0.0.1:{port}/connection/websocket", token)
        (record,) = await self.shards.sessions.connections("ann")
        return record.client

    async def publish(self, channel: str, number: int) -> None:
        await self.shards.brokers.publish(PublishRequest(channel, str(number).encode(), f"{channel}-{number}"))


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = realtime_settings(tmp_path, database_url=database_url)
    shards = LocalShards(settings)
    await shards.start()
    async with serve_realtime(RealtimeApplication(settings, shards.connect), settings) as server:
        yield World(server, shards)
    await shards.stop()


@pytest.fixture
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    kind = getattr(request, "param", "javascript")
    if kind == "javascript" and not (ROOT / "frontend" / "node_modules" / "centrifuge").is_dir():
        pytest.skip("frontend/node_modules is not installed")
    made = SDKS[kind]()
    yield made
    await made.close()


@pytest.mark.parametrize("sdk", ["javascript", "python"], indirect=True)
async def test_the_personal_channel_recovers_and_a_gap_reconnects(world: World, sdk: Sdk) -> None:
    async with cable("127.0.0.1", world.server.port) as line:
        client = await world.connect(sdk, line.port)
        await world.publish(PERSONAL, 1)
        await eventually(lambda: sdk.seen.data(PERSONAL) == [1])
        line.pull()
        await world.publish(PERSONAL, 2)
        line.plug()
        await eventually(lambda: sdk.seen.data(PERSONAL) == [1, 2], timeout_s=30.0)
        # An SDK cannot subscribe again to what the server chose: it is told to come back with its whole connection.
        await eventually(lambda: world.hub.connections == 1)
        (record,) = await world.shards.sessions.connections("ann")
        assert record.client != client
        assert world.hub.unsubscribe_client(record.client, PERSONAL, UNSUBSCRIBE_INSUFFICIENT)
        await eventually(lambda: len(sdk.seen.subscribed[PERSONAL]) == 3, timeout_s=30.0)
        await world.publish(PERSONAL, 3)
        await eventually(lambda: sdk.seen.data(PERSONAL) == [1, 2, 3])
    assert sdk.seen.subscribed[PERSONAL][1:] == [(True, True), (True, True)]


async def test_the_server_subscribes_unsubscribes_and_sends_at_any_time(world: World, sdk: Sdk) -> None:
    client = await world.connect(sdk, world.server.port)
    for number in (1, 2):
        await world.publish("room:chosen", number)
    assert world.hub.subscribe_client(client, ServerSubscription("room:chosen"))
    await eventually(lambda: "room:chosen" in sdk.seen.subscribed)
    await world.publish("room:chosen", 3)
    await eventually(lambda: sdk.seen.data("room:chosen") == [3])
    assert await world.shards.sessions.send_to_user("ann", b'{"hello":"you"}') == 1
    await eventually(lambda: sdk.seen.messages == [{"hello": "you"}])
    assert world.hub.unsubscribe_client(client, "room:chosen", UNSUBSCRIBE_SERVER)
    await eventually(lambda: sdk.seen.unsubscribed.get("room:chosen") == [0])
    await world.publish("room:chosen", 4)
    await world.publish(PERSONAL, 5)
    await eventually(lambda: sdk.seen.data(PERSONAL) == [5])
    assert sdk.seen.data("room:chosen") == [3]
