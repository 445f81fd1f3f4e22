"""What is counted: publications that were acknowledged after the warm-up, each with its latency."""

from types import SimpleNamespace

import pytest

from loadtests import bench_publish
from loadtests.bench_publish import PAYLOAD, publisher, sustained


async def test_only_what_is_acknowledged_after_the_warm_up_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_publish, "IN_FLIGHT", 3)
    monkeypatch.setattr(bench_publish, "WARM_S", 0.05)
    calls = []
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        bench_publish,
        "time",
        SimpleNamespace(perf_counter=lambda: clock.now, process_time=lambda: clock.now / 2),
    )

    async def publish(channel: str) -> None:
        calls.append(channel)
        clock.now += 0.01

    rate, latencies, used = await sustained(publish, ["a", "b"], 1.0)
    assert 0 < len(latencies) == rate * 1.0 < len(calls)
    assert set(latencies) <= {9_999, 10_000}
    assert used == pytest.approx(0.5, abs=0.1)


async def test_each_publication_has_an_id_of_its_own() -> None:
    seen = []

    class Brokers:
        async def publish(self, request: object) -> None:
            seen.append(request)

    publish = publisher(Brokers())
    await publish("room:a")
    await publish("room:a")
    assert [request.data for request in seen] == [PAYLOAD] * 2
    assert seen[0].publication_id != seen[1].publication_id
