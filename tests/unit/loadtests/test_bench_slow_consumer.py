"""The comparison against the plain peer, which waits for the one who does not read."""

import pytest

from loadtests import bench_fanout
from loadtests.bench_fanout import Load, Outcome
from loadtests.bench_slow_consumer import Compared, describe, measure_peer
from loadtests.report import Report


async def test_the_plain_program_stands_still_for_the_one_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_fanout, "STALL_S", 2.0)
    compared = await measure_peer(Load(sockets=3, seconds=3.0, payload=60_000))
    assert compared.all_read.delivered == compared.all_read.published * 3
    assert compared.one_stalled is None


def test_the_report_compares_both_runs() -> None:
    fast, slow = outcome(rate=200), outcome(rate=100)
    report = Report("slow-consumer")
    describe(report, "a", Compared(fast, slow))
    describe(report, "b", Compared(fast, None))
    figures = {figure.name: figure.value for figure in report.figures}
    assert figures["a: ratio of deliveries per second"] == 0.5
    assert figures["a: ratio of p99"] == 1.0
    assert figures["b: delivered, one does not read"] == 0.0


def outcome(*, rate: int) -> Outcome:
    return Outcome(rate, rate, 0, 1.0, 0.1, 0.1, 1.0, 2.0)
