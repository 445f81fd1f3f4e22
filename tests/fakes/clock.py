"""A clock that moves when it is told to."""

from dataclasses import dataclass


@dataclass(slots=True)
class ManualClock:
    """For what takes a `monotonic` of its own."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
