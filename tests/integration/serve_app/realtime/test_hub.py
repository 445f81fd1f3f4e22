"""The official SDKs, unmodified, against the hub and a real broker shard in this process."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from actors.brokers.contract import PublishRequest
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.cable import Cable
from tests.fixtures.local_shards import LocalShards
from tests.fixtures.realtime_server import RealtimeServer, realtime_settings, serve_realtime
from tests.fixtures.sdk import ROOT, SDKS, Sdk, SdkError
from tests.fixtures.waiting import eventually


class World:
    def __init__(self, server: RealtimeServer, shards: LocalShards) -> None:
        self.server = server
        self.shards = shards

    async def publish(self, channel: str, data: bytes, *, exclude_users: tuple[str, ...] = ()) -> None:
        identity = f"id-{channel}-{data!r}"
        await self.shards.brokers.publish(
            PublishRequest(channel, data, publication_id=identity, exclude_users=exclude_users)
        )


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    settings = realtime_settings(tmp_path, database_url=database_url)
    shards = LocalShards(settings)
    await shards.start()
    async with serve_realtime(RealtimeApplication(settings, shards.connect), settings) as server:
        yield World(server, shards)
    await shards.stop()


@pytest.fixture(params=sorted(SDKS))
async def new_sdk(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[], Sdk]]:
    if request.param == "javascript" and not (ROOT / "frontend" / "node_modules" / "centrifuge").is_dir():
        pytest.skip("frontend/node_modules is not installed")
    made: list[Sdk] = []

    def make() -> Sdk:
        made.append(SDKS[request.param]())
        return made[-1]

    yield make
    for sdk in made:
        await sdk.close()


@pytest.mark.parametrize("namespace", ["room", "ledger"])
async def test_talk_presence_and_history(world: World, new_sdk: Callable[[], Sdk], namespace: str) -> None:
    channel = f"{namespace}:talk"
    ann, bob = new_sdk(), new_sdk()
    await ann.connect(world.server.url, lambda: token(world, "ann"))
    await ann.subscribe(channel)
    await bob.connect(world.server.url, lambda: token(world, "bob"))
    await bob.subscribe(channel)
    await eventually(lambda: "bob" in ann.seen.joins.get(channel, []))
    await ann.publish(channel, {"text": "hällo"})
    await bob.publish(channel, {"text": "hi\nthere"})
    await eventually(lambda: len(ann.seen.data(channel)) == len(bob.seen.data(channel)) == 2)
    assert ann.seen.data(channel) == [{"text": "hällo"}, {"text": "hi\nthere"}]
    assert ann.seen.offsets(channel) == [1, 2]
    assert sorted(await ann.presence(channel)) == ["ann", "bob"]
    assert await ann.presence_stats(channel) == (2, 2)
    assert await bob.history(channel, 10) == [(1, {"text": "hällo"}), (2, {"text": "hi\nthere"})]
    await bob.close()
    await eventually(lambda: "bob" in ann.seen.leaves.get(channel, []))


async def token(world: World, user: str) -> str:
    return world.server.token(user)


@pytest.mark.parametrize("namespace", ["room", "ledger"])
async def test_what_is_missed_while_the_cable_is_out_is_recovered(
    world: World, new_sdk: Callable[[], Sdk], namespace: str
) -> None:
    channel = f"{namespace}:cable"
    cable = Cable("127.0.0.1", world.server.port)
    await cable.lay()
    sdk = new_sdk()
    await sdk.connect(f"ws://127.0.0.1:{cable.port}/connection/websocket", lambda: token(world, "ann"))
    await sdk.subscribe(channel)
    await world.publish(channel, b"1")
    await eventually(lambda: sdk.seen.data(channel) == [1])
    cable.pull()
    for number in (2, 3, 4):
        await world.publish(channel, str(number).encode())
    cable.plug()
    await eventually(lambda: len(sdk.seen.data(channel)) >= 4, timeout_s=30.0)
    await world.publish(channel, b"5")
    await eventually(lambda: len(sdk.seen.data(channel)) >= 5)
    assert sdk.seen.data(channel) == [1, 2, 3, 4, 5]
    assert sdk.seen.subscribed[channel][-1] == (True, True)
    await sdk.close()
    await cable.remove()


@pytest.mark.parametrize("namespace", ["room", "ledger"])
async def test_who_was_excluded_does_not_recover_it_either(
    world: World, new_sdk: Callable[[], Sdk], namespace: str
) -> None:
    channel = f"{namespace}:excluded"
    cable = Cable("127.0.0.1", world.server.port)
    await cable.lay()
    sdk = new_sdk()
    await sdk.connect(f"ws://127.0.0.1:{cable.port}/connection/websocket", lambda: token(world, "ann"))
    await sdk.subscribe(channel)
    await world.publish(channel, b"1")
    await world.publish(channel, b"2", exclude_users=("ann",))
    await world.publish(channel, b"3")
    await eventually(lambda: sdk.seen.data(channel) == [1, 3])
    cable.pull()
    for number in (4, 5, 6):
        await world.publish(channel, str(number).encode(), exclude_users=("bob", "ann") if number != 5 else ("bob",))
    cable.plug()
    await eventually(lambda: len(sdk.seen.subscribed[channel]) == 2, timeout_s=30.0)
    await world.publish(channel, b"7")
    await eventually(lambda: 7 in sdk.seen.data(channel))
    assert (sdk.seen.data(channel), sdk.seen.offsets(channel)) == ([1, 3, 5, 7], [1, 3, 5, 7])
    assert sdk.seen.subscribed[channel][-1] == (True, True)
    assert [data for _, data in await sdk.history(channel, 10)] == [1, 2, 3, 4, 5, 6, 7], "what was published stays"
    await sdk.close()
    await cable.remove()


async def test_refusals_reach_the_sdk_with_their_code(world: World, new_sdk: Callable[[], Sdk]) -> None:
    sdk = new_sdk()
    await sdk.connect(world.server.url, lambda: token(world, "ann"))
    with pytest.raises(SdkError) as refused:
        await sdk.publish("room:1", {"without": "subscription"})
    assert refused.value.code == 103
    with pytest.raises(SdkError):
        await sdk.subscribe("nowhere:1")


async def test_revoking_a_session_ends_the_sdk_for_good_within_a_second(
    world: World, new_sdk: Callable[[], Sdk]
) -> None:
    sdk = new_sdk()
    await sdk.connect(world.server.url, lambda: token(world, "ann"))
    assert len(await world.shards.sessions.connections("ann")) == 1
    assert await world.shards.sessions.revoke("ann") == 1
    await eventually(lambda: sdk.seen.disconnected == [3503], timeout_s=1.0)
    await eventually(lambda: world.server.application.hub is not None and world.server.application.hub.connections == 0)
