"""What is told of exports: medians as multiples of the peer's, rows compared with what there are."""

import pytest

from loadtests.bench_exports import compare, high_water_mib, tell_rates, took_s
from loadtests.report import Report


def test_rates_are_medians_and_multiples_of_the_peer_s() -> None:
    report = Report("exports")
    ours, writing = {"csv": [1.0, 300.0, 150.0], "arrow": [5.0]}, {"csv": [200.0], "arrow": [6.0]}
    tell_rates(report, ours, writing, {"csv": [100.0]})
    figures = {figure.name: figure.value for figure in report.figures}
    assert figures["mobula, csv"] == 150.0
    assert figures["csv: ratio"] == pytest.approx(1.5)
    assert figures["csv: ratio from its snapshot on"] == pytest.approx(2.0)
    assert figures["mobula, arrow"] == 5.0
    assert "arrow: ratio" not in figures


def test_time_is_from_the_request_to_the_manifest() -> None:
    made = {"created_at": "2026-11-26T10:00:00Z", "finished_at": "2026-11-26T10:00:02.500000Z"}
    made["started_at"] = "2026-11-26T10:00:02Z"
    assert (took_s(made), took_s(made, since="started_at")) == (2.5, 0.5)


@pytest.mark.parametrize(
    ("numbers", "missing", "doubled"), [([1, 2, 3], 0, 0), ([1, 3], 1, 0), ([1, 2, 2, 3], 0, 1), ([2, 2], 2, 1)]
)
def test_rows_missing_and_doubled(numbers: list[int], missing: int, doubled: int) -> None:
    assert compare(numbers, 3) == (missing, doubled)


def test_high_water_mark_of_a_process() -> None:
    assert high_water_mib("Name:\tpython\nVmHWM:\t  204800 kB\nVmRSS:\t 1 kB\n") == 200.0
    assert high_water_mib("Name:\tgone\n") == 0.0
