"""Sockets behind old HAProxy processes are moved before those processes grow too many or are ended (DESIGN §5, 19).

A reload of HAProxy leaves the old process running until its last socket is gone. Each costs memory and threads, and
after 24 h Serve's hard stop cuts what is left without a close frame. So the hubs close the sockets of the oldest ones
with 3001, spread over time; the clients connect again through the process that listens.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any, Final, Protocol

import structlog

from cluster.ray_runtime.generations import Generation

MAX_GENERATIONS: Final = 4
"""HAProxy processes of a node beyond which sockets of the oldest are moved."""

MAX_AGE_S: Final = 20 * 3600.0
"""An old process is emptied after this: Serve's hard stop ends it at 24 h."""

SETTLED_S: Final = 60.0
"""An old process without sockets ends within half of this (idle connections are closed): one deployment is several
reloads, and those that end by themselves must not cost anybody a socket."""

LOOK_S: Final = 10.0
SPREAD_S: Final = 60.0
"""Sockets of one generation are closed over this time."""

logger = structlog.get_logger(__name__)


def overdue(living: Sequence[Generation], now: float) -> set[int]:
    """Pids whose sockets must move. `living`: oldest first, the last one listens. `now`: Unix seconds."""
    # A process is old from the moment that its successor started.
    ages = [(one.pid, now - successor.started) for one, successor in pairwise(living)]
    settled = [pid for pid, age in ages if age > SETTLED_S]
    return {*settled[: -(MAX_GENERATIONS - 1)], *(pid for pid, age in ages if age > MAX_AGE_S)}


class Sockets(Protocol):
    """The hub, as far as generations matter."""

    def behind(self, generations: Collection[int]) -> int:
        """How many sockets came through these HAProxy processes."""

    async def part(self, generations: Collection[int], window_s: float) -> None:
        """Close those sockets with 3001 within the window."""


class Retirement:
    """Looks at the node's HAProxy processes now and then and empties those that are overdue."""

    def __init__(
        self,
        sockets: Sockets,
        living: Callable[[], list[Generation]],
        *,
        wall: Callable[[], float] = time.time,
        look_s: float = LOOK_S,
        spread_s: float = SPREAD_S,
    ) -> None:
        self.processes = 0
        """HAProxy processes of this node at the last look."""
        self.old_sockets = 0
        """Sockets of this process behind any but the one that listens, at the last look."""
        self._sockets = sockets
        self._living = living
        self._wall = wall
        self._look_s = look_s
        self._spread_s = spread_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Count, and empty what is overdue."""
        living = self._living()
        self.processes = len(living)
        self.old_sockets = self._sockets.behind({generation.pid for generation in living[:-1]})
        leaving = overdue(living, self._wall())
        if leaving and (sockets := self._sockets.behind(leaving)):
            logger.info("haproxy_retired", pids=sorted(leaving), sockets=sockets, processes=len(living))
            await self._sockets.part(leaving, self._spread_s)

    async def _run(self) -> Any:
        while True:
            try:
                await self.look()
            except OSError:
                logger.exception("haproxy_generations_unreadable")
            await asyncio.sleep(self._look_s)
