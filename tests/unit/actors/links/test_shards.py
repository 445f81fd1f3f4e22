"""One link among those to all shards of a kind; what a link does is in test_link."""

from collections.abc import Sequence

import msgspec

from actors.links.frames import Accepted, Batch
from actors.links.shards import link_to
from tests.fixtures.waiting import eventually


class Owner:
    def __init__(self) -> None:
        self.log: list[tuple[str, object]] = []

    def on_items(self, items: list[str], /) -> None:
        self.log.append(("items", items))

    def on_attached(self, unsent: Sequence[str], /) -> None:
        self.log.append(("attached", list(unsent)))

    def on_expired(self, operations: Sequence[str], /) -> None:
        self.log.append(("expired", list(operations)))

    def on_unsendable(self, operations: Sequence[str], /) -> None:
        self.log.append(("unsendable", list(operations)))


async def test_it_calls_its_own_shard_and_tells_its_owner() -> None:
    asked: list[tuple[int, str]] = []

    async def call(shard: int, method: str, _payload: bytes, _timeout_s: float) -> bytes:
        asked.append((shard, method))
        if method == "submit":
            return msgspec.msgpack.encode(Accepted("i", 1, reset=False))
        if len(asked) > 2:
            raise ConnectionError("enough")
        items: list[str] = ["one"] if len(asked) == 2 else []
        return msgspec.msgpack.encode(Batch("i", len(asked), reset=False, items=items))

    owner = Owner()
    link = link_to("boot", 3, call, Batch[str], owner)
    await link.start()
    await link.wait_attached()
    await eventually(lambda: ("items", ["one"]) in owner.log)
    await link.stop()
    assert owner.log == [("attached", []), ("items", ["one"])]
    assert set(asked) == {(3, "poll")}
