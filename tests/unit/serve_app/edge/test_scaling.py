from types import SimpleNamespace
from typing import Any

import pytest

from serve_app.edge.scaling import BUSY, REQUESTS, Busyness, replicas_for_load


def wanted(metrics: dict[str, Any] | None, replicas: int = 3) -> int:
    return replicas_for_load(SimpleNamespace(aggregated_metrics=metrics, target_num_replicas=replicas))[0]


@pytest.mark.parametrize(
    ("requests", "busy", "replicas"),
    [
        ([0.0, 0.0], [0.01, 0.02], 1),
        ([16.0], [0.1], 1),
        ([17.0], [0.1], 2),
        ([20.0, 30.0], [0.2, 0.2], 4),
        ([1.0, 1.0], [0.95, 0.95], 4),
    ],
)
def test_requests_in_flight_or_work_decide(requests: list[float], busy: list[float], replicas: int) -> None:
    assert wanted({REQUESTS: dict(enumerate(requests)), BUSY: dict(enumerate(busy))}) == replicas


@pytest.mark.parametrize("nothing", [None, {}, {REQUESTS: {}}])
def test_without_a_word_from_anybody_the_number_stays(nothing: Any) -> None:
    assert wanted(nothing) == 3


def test_how_busy_the_process_was_is_counted_from_one_look_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=10.0, used=1.0)
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    monkeypatch.setattr("time.process_time", lambda: clock.used)
    busyness = Busyness()
    assert busyness.take() == 0.0
    clock.now, clock.used = 14.0, 3.0
    assert busyness.take() == 0.5
    clock.now = 15.0
    assert busyness.take() == 0.0
