"""The metrics shard."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from actors.metrics import actor
from actors.metrics.actor import DEAD_AFTER_S, MetricsShard
from actors.metrics.snapshot import Push, Snapshot, take
from cluster.settings import Settings


def push(boot: str, count: int, connections: int = 0) -> bytes:
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(count)
    Gauge("active_connections", "Open.", registry=registry).set(connections)
    return msgspec.msgpack.encode(Push(boot, take(registry)))


async def read(shard: MetricsShard) -> dict[str, float]:
    snapshot = msgspec.msgpack.decode(await shard.merged(b""), type=Snapshot)
    return {sample.name: sample.value for family in snapshot for sample in family.samples}


class Clock:
    seconds = 0.0

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shard(clock: Clock) -> MetricsShard:
    return MetricsShard(0, 1, Settings(_env_file=None), clock=lambda: clock.seconds)


async def test_the_newest_push_of_each_process_counts(shard: MetricsShard):
    await shard.start()
    assert await read(shard) == {}
    await shard.push(push("a", 1, 10))
    await shard.push(push("a", 3, 5))
    await shard.push(push("b", 4, 1))
    assert await read(shard) == {"things_total": 7, "active_connections": 6}
    await shard.stop()


async def test_sums_never_fall_when_a_process_dies(shard: MetricsShard, clock: Clock):
    await shard.push(push("a", 3, 5))
    clock.advance(DEAD_AFTER_S / 2)
    await shard.push(push("b", 4, 1))
    clock.advance(DEAD_AFTER_S / 2 + 1)
    assert await read(shard) == {"things_total": 7, "active_connections": 1}
    await shard.push(push("c", 1))
    assert (await read(shard))["things_total"] == 8
    clock.advance(100)
    assert (await read(shard))["things_total"] == 8


async def test_processes_are_bounded(shard: MetricsShard, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(actor, "MAX_PROCESSES", 2)
    for boot in "abc":
        await shard.push(push(boot, 1))
    await shard.push(push("a", 5))
    assert (await read(shard))["things_total"] == 6


async def test_nonsense_is_refused(shard: MetricsShard):
    with pytest.raises(msgspec.DecodeError):
        await shard.push(b"\xc1")
    assert await read(shard) == {}


async def test_a_process_that_was_only_silent_is_not_counted_twice(shard: MetricsShard, clock: Clock):
    await shard.push(push("gone", 10))
    await shard.push(push("stopped", 3, 5))
    clock.advance(DEAD_AFTER_S + 1)
    assert await read(shard) == {"things_total": 13}
    await shard.push(push("stopped", 4, 5))
    assert await read(shard) == {"things_total": 14, "active_connections": 5}
    clock.advance(DEAD_AFTER_S + 1)
    assert await read(shard) == {"things_total": 14}


async def test_who_died_long_ago_still_counts(shard: MetricsShard, clock: Clock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(actor, "RETURNING", 2)
    for boot in "abcde":
        await shard.push(push(boot, 1))
        clock.advance(DEAD_AFTER_S + 1)
        await shard.merged(b"")
    await shard.push(push("e", 2))
    assert await read(shard) == {"things_total": 6, "active_connections": 0}
