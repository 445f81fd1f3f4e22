"""Pushing one process's numbers."""

import asyncio

import msgspec
from prometheus_client import CollectorRegistry, Gauge

from actors.metrics.actor import MetricsShard
from actors.metrics.pusher import MetricsPusher
from actors.metrics.snapshot import Push
from cluster.settings import Settings


class Shard:
    """The real shard behind a call that can be broken; notes every call."""

    def __init__(self) -> None:
        self.shard = MetricsShard(0, 1, Settings(_env_file=None))
        self.broken = False
        self.called: list[str] = []
        self.pushed = asyncio.Event()

    async def call(self, method: str, payload: bytes, timeout_s: float) -> bytes:
        self.called.append(method)
        if self.broken:
            raise TimeoutError
        answer: bytes = await getattr(self.shard, method)(payload)
        if method == "push":
            assert msgspec.msgpack.decode(payload, type=Push).boot == "boot"
            self.pushed.set()
        return answer


def pusher(shard: Shard) -> MetricsPusher:
    registry = CollectorRegistry()
    gauge = Gauge("active_connections", "Open.", registry=registry)
    return MetricsPusher("boot", shard.call, registry=registry, before_push=lambda: gauge.set(3))


async def test_pushes_while_it_runs_and_once_more_at_the_end():
    shard = Shard()
    pushing = pusher(shard)
    pushing.start()
    await asyncio.wait_for(shard.pushed.wait(), 5)
    before = len(shard.called)
    await pushing.stop()
    assert len(shard.called) == before + 1
    await pushing.stop()
    assert len(shard.called) == before + 1


async def test_the_sum_contains_this_process_as_it_is_now():
    (family,) = await pusher(Shard()).merged()
    assert family.samples[0].value == 3


async def test_what_cannot_be_measured_once_is_measured_again():
    shard = Shard()
    measured: list[int] = []

    def measure() -> None:
        measured.append(1)
        if len(measured) == 1:
            raise OSError(24, "Too many open files")

    pushing = MetricsPusher("boot", shard.call, registry=CollectorRegistry(), before_push=measure)
    await pushing.push()
    assert shard.called == [], "there is nothing to tell"
    await pushing.push()
    assert shard.called == ["push"]


async def test_a_shard_that_does_not_answer_is_no_error():
    shard = Shard()
    shard.broken = True
    pushing = pusher(shard)
    await pushing.push()
    await pushing.push()
    assert shard.called == ["push", "push"]
