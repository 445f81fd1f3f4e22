"""Time as a parameter: code that decides by time takes a `Clock`, tests pass their own."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """The two times that there are."""

    def now(self) -> datetime:
        """Wall time, aware, UTC: for what is stored and shown."""

    def monotonic(self) -> float:
        """Seconds that never jump: for leases, deadlines and rates."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Wall time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()


@dataclass(slots=True)
class ManualClock:
    """A clock that moves when it is told to."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seconds: float = 0.0

    def now(self) -> datetime:
        """Wall time."""
        return self.at

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds
