import base64
from typing import Any

import msgspec
import pytest

from actors.brokers.contract import BrokerError
from serve_app.server_api.registry import Grant, Refused
from serve_app.server_api.schemas import MAX_DATA_BYTES
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


@pytest.fixture
async def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> ServerApi:
    return ServerApi(world)


async def test_publish_answers_the_position_and_history_shows_it(server: ServerApi) -> None:
    assert await server.call("publish", channel="room:1", data={"a": [1, None]}, tags={"k": "v"}) == {
        "offset": 1, "epoch": "epoch",
    }  # fmt: skip
    encoded = base64.b64encode(b'{"b":\n2}').decode()
    await server.call("publish", channel="room:1", b64data=encoded)
    history = await server.call("history", channel="room:1", limit=-1)
    assert [publication["data"] for publication in history["publications"]] == [{"a": [1, None]}, {"b": 2}]
    assert history["publications"][0]["tags"] == {"k": "v"}
    assert "info" not in history["publications"][0], "server publications have no author"
    assert (history["offset"], history["epoch"]) == (2, "epoch")


async def test_skipping_history_leaves_the_position(server: ServerApi) -> None:
    await server.call("publish", channel="room:1", data=1, skip_history=True)
    assert (await server.call("history", channel="room:1"))["offset"] == 0


async def test_every_option_reaches_the_broker(world: World, server: ServerApi) -> None:
    made: list[Any] = []

    async def publish(request: Any) -> Any:
        made.append(request)
        raise BrokerError(100, "seen")

    world.brokers.publish = publish  # type: ignore[method-assign]
    options = {
        "tags": {"k": "v"}, "idempotency_key": "once", "delta": True, "skip_history": True, "version": 7,
        "version_epoch": "e", "exclude_clients": ("c",), "exclude_users": ("u",),
    }  # fmt: skip
    with pytest.raises(BrokerError):
        await server.call("publish", channel="room:1", data=1, **options)
    await server.call("broadcast", channels=["room:1"], data=1, **options)
    for request in made:
        assert {name: getattr(request, name) for name in options} == options
    assert made[0].publication_id != made[1].publication_id


async def test_who_is_excluded_gets_nothing(world: World, server: ServerApi) -> None:
    one = await world.subscribed("room:1", "u1")
    two = await world.subscribed("room:1", "u2")
    await server.call("publish", channel="room:1", data="not u2", exclude_users=["u2"])
    await server.call("broadcast", channels=["room:1"], data="not one", exclude_clients=[one.peer.connection.client])
    assert (one.received, two.received) == (["not u2"], ["not one"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 107),
        ({"b64data": "%%%"}, 107),
        ({"b64data": base64.b64encode(b"no json").decode()}, 107),
        ({"b64data": base64.b64encode(b'"\xff"').decode()}, 107),
        ({"data": "x" * MAX_DATA_BYTES}, 106),
    ],
)
async def test_payloads_that_are_refused(server: ServerApi, body: dict[str, Any], code: int) -> None:
    with pytest.raises(Refused) as refused:
        await server.call("publish", channel="room:1", **body)
    assert refused.value.code == code


async def test_a_broadcast_has_one_outcome_per_channel(world: World, server: ServerApi) -> None:
    publish = world.brokers.publish

    async def refuse_one(request: Any) -> Any:
        if request.channel == "room:2":
            raise BrokerError(111, "full")
        return await publish(request)

    world.brokers.publish = refuse_one  # type: ignore[method-assign]
    answer = await server.call("broadcast", channels=["room:1", "room:2"], data=1)
    assert answer == {
        "responses": [{"result": {"offset": 1, "epoch": "epoch"}}, {"error": {"code": 111, "message": "full"}}]
    }
    with pytest.raises(msgspec.ValidationError):
        await server.call("broadcast", channels=[], data=1)


async def test_a_broadcast_reaches_only_the_namespaces_of_its_key(world: World) -> None:
    limited = ServerApi(world, Grant(permissions=frozenset({"realtime:publish"}), namespaces=frozenset({"room"})))
    answer = await limited.call("broadcast", channels=["room:1", "plain"], data=1)
    assert answer["responses"][1] == {"error": {"code": 103, "message": "permission denied"}}
    assert world.brokers.streams["room:1"].top == 1
    assert world.brokers.streams["plain"].top == 0
