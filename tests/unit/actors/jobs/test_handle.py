"""Calls go to the hosted owner."""

import msgspec
import pytest

from actors.jobs import handle
from actors.jobs.contract import Counts


async def test_wake_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int, str, bytes]] = []
    counts = Counts(running=1, agents=2, claimed=3, finished=4, rescued=5)

    async def call(kind: str, shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
        assert timeout_s > 0
        calls.append((kind, shard, method, payload))
        return msgspec.msgpack.encode(counts)

    monkeypatch.setattr(handle.hosts, "call", call)
    await handle.wake(["a", "b"])
    assert await handle.counts() == counts
    assert calls == [("jobs", 0, "wake", msgspec.msgpack.encode(["a", "b"])), ("jobs", 0, "counts", b"")]


async def test_a_wake_up_names_some_keys_and_of_many_says_that_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []

    async def call(kind: str, shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
        sent.append(msgspec.msgpack.decode(payload, type=list[handle.Woken]))
        return b""

    monkeypatch.setattr(handle.hosts, "call", call)
    await handle.wake(["a", ("a", "k1"), ("b", "k2")])
    await handle.wake(["a", *(("b", f"k{n}") for n in range(handle.LINES_NAMED))])
    assert sent == [["a", ("a", "k1"), ("b", "k2")], [("b", handle.MANY_KEYS), "a"]]
