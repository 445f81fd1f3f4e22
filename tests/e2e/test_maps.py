"""Maps with the unmodified JavaScript SDK, the only one that knows them: read, changed, lost and found again."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.fixtures.cable import Cable, cable
from tests.fixtures.faults import kill_shard_hosts
from tests.fixtures.people import Person
from tests.fixtures.sdk import JavaScriptSdk, SdkError
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

MODES = {"cursors": "ephemeral", "board": "recoverable", "shelf": "persistent"}


@pytest.fixture(params=["json", "protobuf"])
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[JavaScriptSdk]:
    client = JavaScriptSdk(protocol=request.param)
    yield client
    await client.close()


@pytest.fixture
async def cord(stack_page: RunningStack) -> AsyncIterator[Cable]:
    async with cable("127.0.0.1", stack_page.ports.http) as laid:
        yield laid


@pytest.fixture
async def server(stack_page: RunningStack) -> AsyncIterator[Any]:
    headers = {"X-API-Key": stack_page.server_api_key}
    async with httpx.AsyncClient(base_url=stack_page.http_url, headers=headers, timeout=10) as http:

        async def call(method: str, **body: Any) -> Any:
            answer = (await http.post(f"/api/{method}", json=body)).json()
            return answer.get("result", answer)

        yield call


def named(namespace: str) -> str:
    return f"{namespace}:sdk-{secrets.token_hex(6)}"


def through(cord: Cable) -> str:
    return f"ws://127.0.0.1:{cord.port}/connection/websocket"


@pytest.mark.parametrize("namespace", MODES)
async def test_all_keys_then_every_change(
    stack_page: RunningStack, ada: Person, sdk: JavaScriptSdk, server: Any, namespace: str
) -> None:
    channel = named(namespace)
    expected = {f"k{n:03}": {"n": n} for n in range(250)}
    for key, data in expected.items():
        assert "offset" in await server("map_publish", channel=channel, key=key, data=data)
    await sdk.connect(stack_page.ws_url, ada.connection_token)
    # The least page has 100 keys: three pages.
    await sdk.map_subscribe(channel, limit=1)
    assert sdk.seen.maps[channel] == expected
    await server("map_publish", channel=channel, key="k000", data={"text": "größer"})
    await server("map_remove", channel=channel, key="k001")
    await eventually(lambda: sdk.seen.maps[channel].get("k000") == {"text": "größer"})
    await eventually(lambda: "k001" not in sdk.seen.maps[channel])
    assert len(sdk.seen.maps[channel]) == 249
    assert (await server("map_stats", channel=channel)) == {"num_keys": 249}


async def test_clients_change_keys(stack_page: RunningStack, ada: Person, sdk: JavaScriptSdk, server: Any) -> None:
    channel = named("board")
    await sdk.connect(stack_page.ws_url, ada.connection_token)
    with pytest.raises(SdkError) as refused:
        await sdk.map_publish(channel, "a", 1)
    assert refused.value.code == 103
    await sdk.map_subscribe(channel)
    await sdk.map_publish(channel, "a", {"n": 1})
    await sdk.map_publish(channel, "b", {"n": 2})
    await sdk.map_remove(channel, "a")
    await eventually(lambda: sdk.seen.maps[channel] == {"b": {"n": 2}})
    pointer = named("cursors")
    await sdk.map_subscribe(pointer)
    await sdk.map_publish(pointer, "whatever", {"x": 1})
    await eventually(lambda: list(sdk.seen.maps[pointer].values()) == [{"x": 1}])
    assert "whatever" not in sdk.seen.maps[pointer]
    await sdk.close()
    # What belongs to a connection goes with it.
    await eventually(lambda: _count(server, pointer, 0), 30)


async def _count(server: Any, channel: str, wanted: int) -> bool:
    return bool(await server("map_stats", channel=channel) == {"num_keys": wanted})


async def test_deltas_of_keys_are_applied(
    stack_page: RunningStack, ada: Person, sdk: JavaScriptSdk, server: Any
) -> None:
    channel = named("board")
    text = "a text that is long enough for a patch to be worth it, ünd with some letters of more than one byte"
    await server("map_publish", channel=channel, key="a", data={"text": text, "n": 0})
    await sdk.connect(stack_page.ws_url, ada.connection_token)
    await sdk.map_subscribe(channel, delta="fossil")
    assert sdk.seen.maps[channel] == {"a": {"text": text, "n": 0}}
    for n in range(1, 6):
        for key in ("a", "b"):
            await server("map_publish", channel=channel, key=key, data={"text": text + "ö" * n, "n": n})
    await server("map_remove", channel=channel, key="b")
    await server("map_publish", channel=channel, key="b", data={"text": text, "n": 9})
    wanted = {"a": {"text": text + "ö" * 5, "n": 5}, "b": {"text": text, "n": 9}}
    await eventually(lambda: sdk.seen.maps[channel] == wanted)


@pytest.mark.parametrize("namespace", MODES)
async def test_lost_socket(ada: Person, sdk: JavaScriptSdk, server: Any, cord: Cable, namespace: str) -> None:
    channel = named(namespace)
    await server("map_publish", channel=channel, key="a", data=1)
    await server("map_publish", channel=channel, key="b", data=1)
    await sdk.connect(through(cord), ada.connection_token)
    await sdk.map_subscribe(channel)
    cord.pull()
    await server("map_publish", channel=channel, key="a", data=2)
    await server("map_remove", channel=channel, key="b")
    await server("map_publish", channel=channel, key="c", data=3)
    cord.plug()
    await eventually(lambda: sdk.seen.maps[channel] == {"a": 2, "c": 3}, 30)
    recovered = namespace != "cursors"
    assert sdk.seen.subscribed[channel][-1] == (recovered, recovered)
    # Only an ephemeral map is read again; the others get what was missed.
    assert sdk.seen.syncs[channel] == (1 if recovered else 2)


@pytest.mark.parametrize("namespace", MODES)
async def test_killed_shard(
    stack_page: RunningStack, ada: Person, sdk: JavaScriptSdk, server: Any, namespace: str
) -> None:
    channel = named(namespace)
    await sdk.connect(stack_page.ws_url, ada.connection_token)
    await sdk.map_subscribe(channel)
    await server("map_publish", channel=channel, key="before", data=1)
    await eventually(lambda: sdk.seen.maps[channel] == {"before": 1})
    assert kill_shard_hosts(stack_page)
    made: dict[str, Any] = {}

    async def published() -> bool:
        made.update(await server("map_publish", channel=channel, key="after", data=2))
        return "offset" in made

    await eventually(published, 60)
    if namespace == "shelf":
        await eventually(lambda: sdk.seen.maps[channel] == {"before": 1, "after": 2}, 30)
        assert sdk.seen.syncs[channel] == 1
    else:
        # Honest: what was in memory only is gone, and whoever held it is told so.
        await eventually(lambda: sdk.seen.maps[channel] == {"after": 2}, 30)
        assert sdk.seen.syncs[channel] >= 2
        assert sdk.seen.unsubscribed.get(channel, []) == []


async def test_presence_as_maps(
    stack_page: RunningStack, ada: Person, bob: Person, sdk: JavaScriptSdk, cord: Cable
) -> None:
    room = named("room")
    clients, users = f"$clients:{room}", f"$users:{room}"
    visitors = [JavaScriptSdk() for _ in range(3)]
    seen = sdk.seen.maps
    try:
        for visitor, person in zip(visitors, (bob, bob, ada), strict=True):
            await visitor.connect(stack_page.ws_url, person.connection_token)
        await visitors[0].subscribe(room)
        await sdk.connect(through(cord), ada.connection_token)
        hidden = f"$clients:{named('scores')}"
        with pytest.raises(SdkError):
            await sdk.map_subscribe(hidden, of="clients")
        assert sdk.seen.unsubscribed[hidden] == [108]
        await sdk.map_subscribe(clients, of="clients")
        await sdk.map_subscribe(users, of="users")
        # Whoever watches is not in the room.
        assert (list(seen[clients].values()), seen[users]) == ([bob.user_id], {bob.user_id: None})
        await visitors[1].subscribe(room)
        await visitors[2].subscribe(room)
        both = sorted([ada.user_id, bob.user_id, bob.user_id])
        await eventually(lambda: sorted(seen[clients].values()) == both)
        await eventually(lambda: seen[users] == {ada.user_id: None, bob.user_id: None})
        await visitors[0].unsubscribe(room)
        await eventually(lambda: sorted(seen[clients].values()) == sorted(set(both)))
        assert seen[users] == {ada.user_id: None, bob.user_id: None}
        cord.pull()
        await visitors[1].close()
        cord.plug()
        await eventually(lambda: seen[users] == {ada.user_id: None}, 30)
        await eventually(lambda: list(seen[clients].values()) == [ada.user_id], 30)
        assert kill_shard_hosts(stack_page)
        await eventually(lambda: sdk.seen.syncs[clients] >= 3 and sdk.seen.syncs[users] >= 3, 60)
        await eventually(lambda: list(seen[clients].values()) == [ada.user_id], 30)
        assert sdk.seen.unsubscribed.get(clients, []) == []
    finally:
        for visitor in visitors:
            await visitor.close()
