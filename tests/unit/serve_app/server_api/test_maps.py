"""The methods of maps over a real shard in memory, in virtual time."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.brokers.contract import BrokerError
from serve_app.server_api.maps import METHODS
from serve_app.server_api.registry import Context, Refused, Shards
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import simulate

BY_NAME = {method.name: method for method in METHODS}


class Api:
    def __init__(self, brokers: Any) -> None:
        self.context = Context(Shards(brokers, None))  # type: ignore[arg-type]

    async def call(self, name: str, **body: Any) -> Any:
        method = BY_NAME[name]
        decoded = method.body.decode(msgspec.json.encode(body))
        return msgspec.json.decode(msgspec.json.encode(await method.run(self.context, decoded)))


def over_a_shard(test: Callable[[Api], Any]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            async with MemoryWorld() as world:
                await test(Api((await world.process()).brokers))

        simulate(main())

    run.__name__ = test.__name__
    return run


@over_a_shard
async def test_keys_are_set_read_and_removed(api: Api) -> None:
    made = await api.call("map_publish", channel="scores:a", key="k", data={"n": 1}, score=-4, tags={"t": "x"})
    assert (made["offset"], set(made)) == (1, {"offset", "epoch"})
    await api.call("map_publish", channel="scores:a", key="l", b64data="Mg==", score=9)
    state = await api.call("map_read_state", channel="scores:a", limit=1)
    assert [entry["key"] for entry in state["publications"]] == ["l"]
    rest = await api.call("map_read_state", channel="scores:a", limit=1, cursor=state["cursor"])
    (entry,) = rest["publications"]
    assert (entry["key"], entry["data"], entry["score"], entry["tags"]) == ("k", {"n": 1}, -4, {"t": "x"})
    assert (rest["cursor"], rest["offset"], rest["epoch"]) == ("", 2, made["epoch"])
    one = await api.call("map_read_state", channel="scores:a", key="l")
    assert [entry["data"] for entry in one["publications"]] == [2]
    assert await api.call("map_stats", channel="scores:a") == {"num_keys": 2}
    await api.call("map_remove", channel="scores:a", key="k")
    stream = await api.call("map_read_stream", channel="scores:a", limit=-1)
    assert [(p["key"], p.get("removed", False)) for p in stream["publications"]] == [
        ("k", False),
        ("l", False),
        ("k", True),
    ]
    since = await api.call("map_read_stream", channel="scores:a", limit=10, since_offset=2, since_epoch=made["epoch"])
    assert [p["offset"] for p in since["publications"]] == [3]
    assert await api.call("map_read_stream", channel="scores:a") == {
        "publications": [],
        "epoch": made["epoch"],
        "offset": 3,
    }
    assert await api.call("map_clear", channel="scores:a") == {}
    assert await api.call("map_stats", channel="scores:a") == {"num_keys": 0}


@over_a_shard
async def test_conditions_are_answered_with_their_reason(api: Api) -> None:
    made = await api.call("map_publish", channel="board:a", key="k", data=1, version=3)
    assert (await api.call("map_publish", channel="board:a", key="k", data=2, key_mode="if_new")) == {
        **made,
        "suppressed": True,
        "suppress_reason": "key_exists",
    }
    assert (await api.call("map_remove", channel="board:a", key="n"))["suppress_reason"] == "key_not_found"
    assert (await api.call("map_publish", channel="board:a", key="k", data=2, version=3))["suppressed"]
    wrong = {"offset": 7, "epoch": made["epoch"]}
    refused = await api.call("map_remove", channel="board:a", key="k", expected_position=wrong)
    assert refused["suppress_reason"] == "position_mismatch"
    assert "suppressed" not in await api.call("map_remove", channel="board:a", key="k", expected_position=made)


@over_a_shard
async def test_bad_input_is_refused(api: Api) -> None:
    async def code(name: str, **body: Any) -> int:
        with pytest.raises((BrokerError, Refused)) as caught:
            await api.call(name, **body)
        return int(caught.value.code)

    assert await code("map_publish", channel="board:a", key="k") == 107
    assert await code("map_publish", channel="board:a", key="toolongkey", data=1) == 107
    assert await code("map_publish", channel="board:a", key="k", data="x" * 200) == 106
    assert await code("map_publish", channel="room:a", key="k", data=1) == 107
    assert await code("map_read_stream", channel="room:a", limit=1) == 107
    assert await code("map_read_state", channel="board:a", limit=1, cursor="elsewhere") == 107
    assert await code("map_read_stream", channel="board:a", reverse=True, since_epoch="e") == 107
    assert await code("map_stats", channel="nowhere:a") == 102
    with pytest.raises(msgspec.ValidationError):
        await api.call("map_publish", channel="board:a", key="k", data=1, key_mode="sometimes")
