"""Reports: percentiles, the table, the JSON."""

import json
import math
from array import array
from pathlib import Path

import pytest

from loadtests.report import Report, percentile


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 1), (0.5, 50), (0.99, 99), (1.0, 100)])
def test_percentile_is_the_nearest_rank(fraction: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), fraction) == expected


def test_percentile_of_nothing_is_not_a_number() -> None:
    assert math.isnan(percentile([], 0.5))


def test_table_and_json(tmp_path: Path) -> None:
    report = Report("fanout")
    report.latency("idle", array("I", [1000, 2000, 3000]), p50_goal="≤ 6")
    report.add("delivered", 90_000.4, "msg/s")
    report.notes.append("a note")
    text = report.text()
    assert "idle p50            2 ms               goal ≤ 6" in text
    assert "90,000 msg/s" in text
    assert "note: a note" in text
    written = json.loads(report.write(tmp_path).read_text(encoding="utf-8"))
    assert written["name"] == "fanout"
    assert written["figures"][0] == {"name": "idle p50", "value": 2.0, "unit": "ms", "goal": "≤ 6"}
    assert written["machine"]["cores"] >= 1
