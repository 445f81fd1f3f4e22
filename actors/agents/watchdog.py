"""A thread that notices when inline handlers block the agent's event loop."""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

import structlog

LOOK_EVERY_S: Final = 0.5
WARN_S: Final = 2.0
"""One missed beat."""

END_S: Final = 30.0
"""Long after the leases of everything that ran here have been given to others: only a new process helps."""

logger = structlog.get_logger(__name__)


class Watchdog:
    """Watches one event loop from outside: warns with the stack of what blocks it, and ends the process at last."""

    def __init__(
        self,
        describe: Callable[[], list[str]],
        *,
        warn_s: float = WARN_S,
        end_s: float = END_S,
        end: Callable[[], None] = lambda: os._exit(70),
    ) -> None:
        self._describe = describe
        self._warn_s = warn_s
        self._end_s = end_s
        self._end = end
        self._touched_at = time.monotonic()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call it in the loop to be watched."""
        self._touched_at = time.monotonic()
        self._thread = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="inline-watchdog", daemon=True
        )
        self._beating = asyncio.create_task(self._beat(), name="watchdog-beat")
        self._thread.start()

    async def stop(self) -> None:
        """End the watch."""
        self._stopped.set()
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            self._touched_at = time.monotonic()
            await asyncio.sleep(LOOK_EVERY_S)

    def _watch(self, loop_thread: int) -> None:
        warned = False
        while not self._stopped.wait(min(LOOK_EVERY_S, self._warn_s / 2)):
            blocked_s = time.monotonic() - self._touched_at
            if blocked_s < self._warn_s:
                warned = False
            elif blocked_s >= self._end_s:
                logger.error("event loop blocked for too long, ending the agent", jobs=self._describe())
                self._end()
                return
            elif not warned:
                warned = True
                frame = sys._current_frames().get(loop_thread)
                stack = "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""
                logger.warning("event loop blocked", blocked_s=round(blocked_s, 1), jobs=self._describe(), stack=stack)
