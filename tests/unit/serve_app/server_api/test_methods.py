import base64
from typing import Any

import msgspec
import pytest

from actors.brokers.contract import BrokerError, ClientInfo, SubscribeRequest
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import SessionRecord
from serve_app.server_api.methods import METHODS, Refused, Shards
from serve_app.server_api.schemas import MAX_DATA_BYTES
from tests.fakes.brokers import FakeBrokers, FakeSessions
from tests.fixtures.realtime import NAMESPACES


@pytest.fixture
def shards() -> Shards:
    return Shards(FakeBrokers(Namespaces.parse(NAMESPACES)), FakeSessions())


async def call(shards: Shards, method: str, **body: Any) -> Any:
    """Run a method and return its result as a client reads it."""
    decoded = METHODS[method].body.decode(msgspec.json.encode(body))
    return msgspec.json.decode(msgspec.json.encode(await METHODS[method].run(shards, decoded)))


async def test_publish_answers_the_position_and_history_shows_it(shards: Shards) -> None:
    assert await call(shards, "publish", channel="room:1", data={"a": [1, None]}, tags={"k": "v"}) == {
        "offset": 1, "epoch": "epoch",
    }  # fmt: skip
    encoded = base64.b64encode(b'{"b":\n2}').decode()
    await call(shards, "publish", channel="room:1", b64data=encoded)
    history = await call(shards, "history", channel="room:1", limit=-1)
    assert [publication["data"] for publication in history["publications"]] == [{"a": [1, None]}, {"b": 2}]
    assert history["publications"][0]["tags"] == {"k": "v"}
    assert "info" not in history["publications"][0], "server publications have no author"
    assert (history["offset"], history["epoch"]) == (2, "epoch")


async def test_skipping_history_leaves_the_position(shards: Shards) -> None:
    await call(shards, "publish", channel="room:1", data=1, skip_history=True)
    assert (await call(shards, "history", channel="room:1"))["offset"] == 0


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
async def test_payloads_that_are_refused(shards: Shards, body: dict[str, Any], code: int) -> None:
    with pytest.raises(Refused) as refused:
        await call(shards, "publish", channel="room:1", **body)
    assert refused.value.code == code


async def test_a_broadcast_has_one_outcome_per_channel(shards: Shards) -> None:
    publish = shards.brokers.publish

    async def refuse_one(request: Any) -> Any:
        if request.channel == "room:2":
            raise BrokerError(111, "full")
        return await publish(request)

    shards.brokers.publish = refuse_one  # type: ignore[method-assign]
    answer = await call(shards, "broadcast", channels=["room:1", "room:2"], data=1)
    assert answer == {
        "responses": [{"result": {"offset": 1, "epoch": "epoch"}}, {"error": {"code": 111, "message": "full"}}]
    }
    with pytest.raises(msgspec.ValidationError):
        await call(shards, "broadcast", channels=[], data=1)


async def test_presence_and_channels(shards: Shards) -> None:
    brokers: Any = shards.brokers
    brokers.streams["room:1"].subscribers[1] = SubscribeRequest("room:1", 1, ClientInfo("u", "c"), presence=True)
    assert await call(shards, "presence", channel="room:1") == {"presence": {"c": {"user": "u", "client": "c"}}}
    assert await call(shards, "presence_stats", channel="room:1") == {"num_clients": 1, "num_users": 1}
    assert await call(shards, "channels", pattern="room:*") == {"channels": {"room:1": {"num_clients": 1}}}
    assert await call(shards, "channels", pattern="x*") == {"channels": {}}
    (node,) = (await call(shards, "info"))["nodes"]
    assert (node["num_channels"], node["num_subs"]) == (1, 1)


async def test_history_is_removed_and_wrong_questions_are_refused(shards: Shards) -> None:
    await call(shards, "publish", channel="room:1", data=1)
    assert await call(shards, "history_remove", channel="room:1") == {}
    assert (await call(shards, "history", channel="room:1", limit=-5))["publications"] == []
    with pytest.raises(Refused):
        await call(shards, "history", channel="room:1", reverse=True, since={"offset": 0, "epoch": "epoch"})
    with pytest.raises(BrokerError):
        await call(shards, "history", channel="room:1", since={"offset": 1, "epoch": "other"})


class Sink:
    def __init__(self) -> None:
        self.orders: list[tuple[list[str], int, str]] = []

    def on_disconnect(self, clients: Any, code: int, reason: str) -> None:
        self.orders.append((list(clients), code, reason))

    def on_send(self, clients: Any, data: bytes) -> None:
        raise AssertionError


async def test_disconnecting_a_user(shards: Shards) -> None:
    sessions: Any = shards.sessions
    sink = sessions.sink = Sink()
    for client in ("a", "b"):
        sessions.records[client] = SessionRecord(client, "u", "s", "hub", "t", 0)
    assert await call(shards, "disconnect", user="u", whitelist=["b"]) == {}
    await call(shards, "disconnect", user="u", client="b", disconnect={"code": 4001, "reason": "maintenance"})
    assert sink.orders == [(["a"], 3503, "force disconnect"), (["b"], 4001, "maintenance")]
    for code in (1000, 5000):
        with pytest.raises(msgspec.ValidationError):
            await call(shards, "disconnect", user="u", disconnect={"code": code})


@pytest.mark.parametrize("method", ["subscribe", "unsubscribe", "refresh"])
async def test_what_is_not_offered_says_so(shards: Shards, method: str) -> None:
    with pytest.raises(Refused) as refused:
        await call(shards, method, user="u", channel="c")
    assert refused.value.code == 108
