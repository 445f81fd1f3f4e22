"""Moves the sockets of HAProxy processes that are to end, wherever in the cluster those run (DESIGN §5, 19).

Each node's agent says which of its HAProxy processes are overdue, and says so again until they are gone
(`actors.agents.edge_watch`). Their sockets are closed with 3001, spread over time; the clients connect again, through
the processes that listen.
"""

from collections.abc import Collection, Sequence
from typing import Final, Protocol

import structlog

from cluster.background import Background
from cluster.ray_runtime.generations import Generation

SPREAD_S: Final = 60.0
"""Sockets of one generation are closed over this time."""

logger = structlog.get_logger(__name__)


class Sockets(Protocol):
    """The hub, as far as generations matter."""

    def behind(self, generations: Collection[str]) -> int:
        """How many sockets came through these HAProxy processes."""

    async def part(self, generations: Collection[str], window_s: float) -> None:
        """Close those sockets with 3001 within the window."""


class Retirement:
    """Empties the generations that it is told of. One told again while it is being emptied is left to that."""

    def __init__(self, sockets: Sockets, *, spread_s: float = SPREAD_S) -> None:
        self._sockets = sockets
        self._spread_s = spread_s
        self._leaving: set[str] = set()
        self._background = Background()

    def empty(self, generations: Collection[str]) -> None:
        """Begin to close the sockets that came through these; on the running loop."""
        told = set(generations) - self._leaving
        sockets = self._sockets.behind(told)
        if not sockets:
            return
        logger.info("haproxy_retired", generations=sorted(told), sockets=sockets)
        self._leaving |= told
        self._background.spawn(self._part(told))

    def old(self, living: Sequence[Generation]) -> int:
        """Sockets behind any of a node's HAProxy processes but the one that listens. `living`: oldest first."""
        return self._sockets.behind({generation.name for generation in living[:-1]})

    async def stop(self) -> None:
        """Leave what is still open."""
        await self._background.stop()

    async def _part(self, generations: set[str]) -> None:
        try:
            await self._sockets.part(generations, self._spread_s)
        finally:
            self._leaving -= generations
