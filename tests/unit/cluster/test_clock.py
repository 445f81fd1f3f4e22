import time
from datetime import UTC, datetime, timedelta

from cluster.clock import ManualClock, SystemClock


def test_the_system_clock_is_the_machines() -> None:
    clock = SystemClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().tzinfo is UTC
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()


def test_a_manual_clock_moves_both_times_only_when_told() -> None:
    clock = ManualClock()
    wall, seconds = clock.now(), clock.monotonic()
    assert (clock.now(), clock.monotonic()) == (wall, seconds)
    clock.advance(90)
    assert clock.now() - wall == timedelta(seconds=90)
    assert clock.monotonic() - seconds == 90
