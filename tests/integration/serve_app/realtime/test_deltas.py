"""Deltas and filters as the official SDKs, unmodified, read them: live, recovered, on another replica, after a gap."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actors.brokers.contract import PublishRequest
from actors.brokers.items import Gap
from actors.brokers.wire import encode
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.cable import cable
from tests.fixtures.local_shards import LocalShards
from tests.fixtures.realtime_server import RealtimeServer, realtime_settings, serve_realtime
from tests.fixtures.sdk import ROOT, SDKS, Sdk
from tests.fixtures.waiting import eventually

NAMESPACES = """
namespaces:
  memory: &scores
    history_size: 100
    history_ttl: 5m
    force_recovery: true
    delta_publish: true
    allowed_delta_types: [fossil]
    allow_tags_filter: true
    allow_subscribe_for_client: true
  durable:
    <<: *scores
    durable: true
"""

TEXT = "Матч начался вовремя, обе команды играют осторожно 👍🏽, счёт не открыт. "


class World:
    """Two replicas on one shard."""

    def __init__(self, servers: list[RealtimeServer], shards: LocalShards) -> None:
        self.first, self.second = servers
        self.shards = shards
        self.published: list[object] = []

    async def publish(self, channel: str, *, tags: dict[str, str] | None = None) -> None:
        number = len(self.published)
        data = {"текст": TEXT[:number] + "ё" + TEXT[number + 1 :], "n": number}
        self.published.append(data)
        raw = json.dumps(data, ensure_ascii=False).encode()
        await self.shards.brokers.publish(PublishRequest(channel, raw, f"{channel}-{number}", tags=tags or {}))

    def lose_a_publication(self, channel: str) -> None:
        """What a hub is told that reads so slowly that its queue was cleared."""
        for stream in self.shards.broker.streams.clients.values():
            stream.push(encode(Gap(channel)), None)


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    namespaces = tmp_path / "namespaces.yaml"
    namespaces.write_text(NAMESPACES)
    settings = realtime_settings(tmp_path, database_url=database_url, namespaces_file=namespaces)
    shards = LocalShards(settings)
    await shards.start()
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(serve_realtime(RealtimeApplication(settings, shards.connect), settings))
            for _ in range(2)
        ]
        yield World(servers, shards)
    await shards.stop()


@pytest.fixture(params=sorted(SDKS))
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    if request.param == "javascript" and not (ROOT / "frontend" / "node_modules" / "centrifuge").is_dir():
        pytest.skip("frontend/node_modules is not installed")
    made = SDKS[request.param]()
    yield made
    await made.close()


async def connect(world: World, sdk: Sdk, port: int) -> None:
    async def token() -> str:
        return world.first.token("ann")

    await sdk.connect(f"ws://127.0.0.1:{port}/connection/websocket", token)


@pytest.mark.parametrize("namespace", ["memory", "durable"])
async def test_deltas_live_recovered_on_another_replica_and_after_a_gap(world: World, sdk: Sdk, namespace: str) -> None:
    channel = f"{namespace}:match"
    async with cable("127.0.0.1", world.first.port) as line:
        await connect(world, sdk, line.port)
        await sdk.subscribe(channel, delta="fossil")
        for _ in range(3):
            await world.publish(channel)
        await eventually(lambda: sdk.seen.data(channel) == world.published)
        for server in (world.second, world.first):
            line.pull()
            for _ in range(3):
                await world.publish(channel)
            line.plug(server.port)
            await eventually(lambda: sdk.seen.data(channel) == world.published, timeout_s=30.0)
            await world.publish(channel)
            world.lose_a_publication(channel)
            for _ in range(2):
                await world.publish(channel)
            await eventually(lambda: sdk.seen.data(channel) == world.published)
    assert sdk.seen.subscribed[channel] == [(False, False), (True, True), (True, True)]


async def test_a_filter_holds_live_and_recovered(world: World, sdk: Sdk) -> None:
    channel = "memory:match"
    goals: list[object] = []

    async def publish(kind: str) -> None:
        await world.publish(channel, tags={"kind": kind})
        if kind == "goal":
            goals.append(world.published[-1])

    async with cable("127.0.0.1", world.first.port) as line:
        await connect(world, sdk, line.port)
        await sdk.subscribe(channel, tags_filter={"key": "kind", "cmp": "eq", "val": "goal"})
        for kind in ("corner", "goal", "corner", "goal"):
            await publish(kind)
        await eventually(lambda: sdk.seen.data(channel) == goals)
        line.pull()
        for kind in ("corner", "goal", "corner"):
            await publish(kind)
        line.plug(world.second.port)
        await eventually(lambda: sdk.seen.data(channel) == goals, timeout_s=30.0)
        await publish("corner")
        await publish("goal")
        await eventually(lambda: sdk.seen.data(channel) == goals)
    assert sdk.seen.subscribed[channel] == [(False, False), (True, True)]
    assert sdk.seen.unsubscribed == {}
