"""One timer wheel for a whole process: thousands of deadlines, one timer of the event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import structlog

TICK_S: Final = 0.2
"""Deadlines are met this late at most; pings of thousands of connections spread over such steps."""

UNSCHEDULED: Final = -1

logger = structlog.get_logger(__name__)


class Scheduled(Protocol):
    """Something with a deadline. `slot` belongs to the wheel."""

    slot: int


Item = TypeVar("Item", bound=Scheduled)


class TimerWheel(Generic[Item]):
    """Calls `on_due(item)` in the tick after an item's deadline. An item has one deadline: the earliest given."""

    def __init__(self, on_due: Callable[[Item], None], *, tick_s: float = TICK_S) -> None:
        self._on_due = on_due
        self._tick_s = tick_s
        self._slots: dict[int, list[Item]] = {}
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to turn."""
        self._loop = loop
        self._next = int(loop.time() / self._tick_s)
        self._arm()

    def stop(self) -> None:
        """Stop turning; deadlines are forgotten."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._slots.clear()
        self._loop = None

    def schedule(self, item: Item, due: float) -> None:
        """Make sure that `on_due(item)` is called no later than the tick after `due` (loop time)."""
        if due == float("inf"):
            return
        slot = max(int(due / self._tick_s) + 1, self._next)
        if item.slot != UNSCHEDULED and item.slot <= slot:
            return
        item.slot = slot
        self._slots.setdefault(slot, []).append(item)

    def advance(self, now: float) -> None:
        """Call for everything whose deadline has passed."""
        until = int(now / self._tick_s)
        while self._next <= until:
            slot, self._next = self._next, self._next + 1
            for item in self._slots.pop(slot, ()):
                # An item that was given an earlier deadline later left its old entry behind.
                if item.slot == slot:
                    item.slot = UNSCHEDULED
                    self._call(item)

    def _call(self, item: Item) -> None:
        """One item that fails must not cost the others of its slot their deadlines."""
        try:
            self._on_due(item)
        except Exception:
            logger.exception("deadline_failed")

    def _turn(self) -> None:
        if self._loop is None:
            return
        self._arm()
        self.advance(self._loop.time())

    def _arm(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(self._tick_s, self._turn)
