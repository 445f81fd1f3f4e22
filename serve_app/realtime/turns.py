"""What comes from the stream happens in its order, and never blocks the event loop for long.

Health checks, timers and other clients share the loop with a fan-out to thousands: work is done in steps, and after
20 ms of it the rest waits for the next turn of the loop. While something waits, everything newer queues behind it. A
process for which the stream is too much would fall behind without end: while the queue is full, it leaves out what it
can.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import structlog

BUDGET_S: Final = 0.020
"""Time per turn of the event loop."""

WAITING: Final = 5_000
WAITING_BYTES: Final = 8 * 1024 * 1024
"""With so many pieces of work, or so much in them, the queue is full."""

logger = structlog.get_logger(__name__)


class Turns:
    """Runs work in order within a time budget per turn."""

    def __init__(self, *, budget_s: float = BUDGET_S, clock: Callable[[], float] = time.perf_counter) -> None:
        self._budget_s = budget_s
        self._clock = clock
        self._queue: deque[tuple[Iterator[None], int]] = deque()
        self._bytes = 0
        self._turn_end = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiting(self) -> int:
        """Pieces of work that did not fit into this turn."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """So much waits that what can be left out should be."""
        return len(self._queue) >= WAITING or self._bytes >= WAITING_BYTES

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use this loop."""
        self._loop = loop

    def run(self, work: Iterator[None], size: int = 0) -> None:
        """Do it now if nothing older waits and the turn has time left, else as soon as possible. `size`: its bytes."""
        if self._queue:
            self._queue.append((work, size))
            self._bytes += size
            return
        if self._turn_end == 0.0:
            self._begin_turn()
        if self._clock() >= self._turn_end or not self._step(work):
            self._queue.append((work, size))
            self._bytes += size
            self._continue_later()

    def _begin_turn(self) -> None:
        self._turn_end = self._clock() + self._budget_s
        if self._loop is not None:
            self._loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_end = 0.0

    def _step(self, work: Iterator[None]) -> bool:
        """Returns whether the work is finished."""
        try:
            for _ in work:
                if self._clock() >= self._turn_end:
                    # It may have been the last step: asking once more costs nothing when it was.
                    return next(work, self) is self
        except Exception:
            logger.exception("stream_work_failed")
        return True

    def _continue_later(self) -> None:
        if self._loop is not None:
            self._loop.call_soon(self.drain)

    def drain(self) -> None:
        """Go on with what waits."""
        self._turn_end = self._clock() + self._budget_s
        while self._queue:
            work, size = self._queue[0]
            if not self._step(work):
                self._continue_later()
                return
            self._queue.popleft()
            self._bytes -= size
        self._turn_end = 0.0
