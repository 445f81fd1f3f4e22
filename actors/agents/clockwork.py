"""When schedules fire (UTC)."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from croniter import croniter

from actors.jobs.contract import Schedule

_AT_ONCE = datetime.min.replace(tzinfo=UTC)


def last_fire(schedule: Schedule, now: datetime) -> datetime:
    """The latest time at or before `now` that the schedule names."""
    if schedule.every_s:
        return datetime.fromtimestamp(int(now.timestamp()) // schedule.every_s * schedule.every_s, UTC)
    # croniter looks strictly before its start.
    moment: datetime = croniter(schedule.cron, now + timedelta(seconds=1)).get_prev(datetime)  # type: ignore[no-untyped-call]
    return moment


def next_fire(schedule: Schedule, now: datetime) -> datetime:
    """The first time after `now` that the schedule names."""
    if schedule.every_s:
        return last_fire(schedule, now) + timedelta(seconds=schedule.every_s)
    moment: datetime = croniter(schedule.cron, now).get_next(datetime)  # type: ignore[no-untyped-call]
    return moment


class Clockwork:
    """Which schedules are due. Begins with the latest firing of each: if nobody was there for it, it is made up."""

    def __init__(self, schedules: Iterable[Schedule]) -> None:
        self._next: dict[str, tuple[Schedule, datetime]] = {
            schedule.name: (schedule, _AT_ONCE) for schedule in schedules
        }
        self._last = _AT_ONCE

    def due(self, now: datetime) -> list[tuple[Schedule, datetime]]:
        """Schedules to fire, each with the time it fires for."""
        if now < self._last:
            # The clock was set back, and what had fired would be waited for again, for as long as it was ahead.
            for name, (schedule, at) in self._next.items():
                self._next[name] = (schedule, min(at, next_fire(schedule, now)))
        self._last = now
        found = []
        for name, (schedule, at) in self._next.items():
            if at <= now:
                found.append((schedule, last_fire(schedule, now)))
                self._next[name] = (schedule, next_fire(schedule, now))
        return found

    def again(self, schedule: Schedule) -> None:
        """The firing could not be recorded: it stays due."""
        self._next[schedule.name] = (schedule, _AT_ONCE)
