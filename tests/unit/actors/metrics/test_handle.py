"""The way to the metrics shard."""

import pytest

from actors.hosts import handle as hosts
from actors.hosts.kinds import KINDS
from actors.metrics import handle
from actors.metrics.actor import MetricsShard


async def test_asks_the_one_shard(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[object, ...]] = []

    async def call(*arguments: object) -> bytes:
        asked.append(arguments)
        return b"answer"

    monkeypatch.setattr(hosts, "call", call)
    assert await handle.call("merged", b"", 2.0) == b"answer"
    await handle.connect("boot").push()
    assert asked[0] == ("metrics", 0, "merged", b"", 2.0)
    assert asked[1][:3] == ("metrics", 0, "push")


def test_hosts_know_the_kind():
    assert KINDS[handle.KIND].load() is MetricsShard
