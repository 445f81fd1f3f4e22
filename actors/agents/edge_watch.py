"""Watches the HAProxy processes of a node, and has those emptied that are overdue (DESIGN §5, 19).

A reload of HAProxy leaves the old process running until its last socket is gone. Each costs memory and threads, and
after 24 h Serve's hard stop cuts what is left without a close frame. HAProxy passes sockets to replicas of any node,
and runs on nodes without a realtime replica too: so a node's agent watches, and all hubs of the cluster are told.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from cluster.ray_runtime.generations import Generation, overdue

LOOK_S: Final = 10.0

Living = Callable[[], list[Generation]]
Retire = Callable[[Sequence[str]], Awaitable[None]]


class EdgeWatch:
    """`living`: this node's HAProxy processes, oldest first. `retire` tells every hub whom to leave."""

    def __init__(self, living: Living, retire: Retire, *, wall: Callable[[], float] = time.time) -> None:
        self._living = living
        self._retire = retire
        self._wall = wall

    async def look(self) -> None:
        """Say which are overdue, if any. Said again with every look: nobody acknowledges, and nobody minds.

        Raises OSError when the records cannot be read, and whatever `retire` raises.
        """
        leaving = overdue(self._living(), self._wall())
        if leaving:
            await self._retire([generation.name for generation in leaving])
