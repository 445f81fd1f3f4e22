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
