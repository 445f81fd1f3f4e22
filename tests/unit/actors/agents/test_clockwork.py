"""When schedules fire."""

from datetime import UTC, datetime, timedelta

import pytest

from actors.agents.clockwork import Clockwork, last_fire, next_fire
from actors.jobs.contract import Schedule

DAILY = Schedule("daily", "k", cron="30 3 * * *")
HOURLY = Schedule("hourly", "k", cron="0 * * * *")
OFTEN = Schedule("often", "k", every_s=5)


@pytest.mark.parametrize(
    ("schedule", "now", "last", "following"),
    [
        (DAILY, datetime(2026, 3, 1, 3, 30, tzinfo=UTC), "2026-03-01 03:30:00", "2026-03-02 03:30:00"),
        (DAILY, datetime(2026, 3, 1, 3, 29, 59, tzinfo=UTC), "2026-02-28 03:30:00", "2026-03-01 03:30:00"),
        (DAILY, datetime(2026, 3, 1, 3, 30, 0, 5, tzinfo=UTC), "2026-03-01 03:30:00", "2026-03-02 03:30:00"),
        # Summer time begins and ends in other places: here no hour is missing and none comes twice.
        (DAILY, datetime(2026, 3, 29, 3, 29, tzinfo=UTC), "2026-03-28 03:30:00", "2026-03-29 03:30:00"),
        (HOURLY, datetime(2026, 3, 29, 2, 59, tzinfo=UTC), "2026-03-29 02:00:00", "2026-03-29 03:00:00"),
        (HOURLY, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25 01:00:00", "2026-10-25 02:00:00"),
        (OFTEN, datetime(2026, 3, 1, 0, 0, 7, tzinfo=UTC), "2026-03-01 00:00:05", "2026-03-01 00:00:10"),
        (OFTEN, datetime(2026, 3, 1, 0, 0, 10, tzinfo=UTC), "2026-03-01 00:00:10", "2026-03-01 00:00:15"),
    ],
)
def test_last_and_next(schedule: Schedule, now: datetime, last: str, following: str) -> None:
    assert f"{last_fire(schedule, now):%Y-%m-%d %H:%M:%S}" == last
    assert f"{next_fire(schedule, now):%Y-%m-%d %H:%M:%S}" == following


def test_what_was_missed_is_made_up_once_and_then_each_time_fires_once() -> None:
    clockwork = Clockwork([DAILY])
    now = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
    assert [at.day for _, at in clockwork.due(now)] == [5]
    assert clockwork.due(now + timedelta(minutes=1)) == []
    assert clockwork.due(now + timedelta(hours=15)) == []
    ((schedule, at),) = clockwork.due(now + timedelta(hours=16))
    assert (schedule, at.day, at.hour) == (DAILY, 6, 3)
    clockwork.again(DAILY)
    assert clockwork.due(now + timedelta(hours=16)) == [(DAILY, at)]


def test_two_processes_name_the_same_moment() -> None:
    """The fire key is unique by this moment, so it must not depend on who computes it, and when."""
    moments = {last_fire(OFTEN, datetime(2026, 3, 1, 0, 0, 5, us, tzinfo=UTC)) for us in range(0, 1_000_000, 50_000)}
    assert len(moments) == 1


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    clockwork = Clockwork([DAILY, OFTEN])
    ahead = datetime(2027, 3, 5, 12, 0, tzinfo=UTC)
    clockwork.due(ahead)
    now = datetime(2026, 3, 5, 12, 0, 2, tzinfo=UTC)
    assert clockwork.due(now) == [], "what fires next is the next, not the last once more"
    assert clockwork.due(now + timedelta(seconds=2)) == []
    assert clockwork.due(now + timedelta(seconds=3)) == [(OFTEN, now + timedelta(seconds=3))]
    assert [schedule for schedule, _ in clockwork.due(now + timedelta(hours=16))] == [DAILY, OFTEN]
    clockwork.again(DAILY)
    assert [schedule for schedule, _ in clockwork.due(now)] == [DAILY], "what could not be recorded stays due"
