"""Finds what waits in the table and nobody told the owner of."""

import math
from typing import Final

from actors.jobs.ready import KEYS_KNOWN, ReadyQueues
from db.jobs.store import JobStore

DISCOVER_S: Final = 2.0
"""How often the table is asked what has work while there is no rest: a wake-up may have been lost."""

KEYS_PER_LOOK: Final = 1_000
"""One index probe each: a few milliseconds in all."""

LAP: Final = 1
NEWS_LAPS: Final = 2
"""Somewhere in the ring of keys there are new ones: what is left of this lap, and all of the next."""


class Discovery:
    """Looks for queues and keys with ready jobs: all queues at once, keys in laps, as many per look as cost little."""

    def __init__(self, store: JobStore, queues: ReadyQueues) -> None:
        self._store = store
        self._queues = queues
        self._looked_at = -math.inf
        self._after = ("", "")
        self._laps = 0

    def seek_keys(self) -> None:
        """There are jobs of more keys than anybody could name."""
        self._laps = NEWS_LAPS

    async def look(self, now: float, *, idle: bool) -> None:
        """Ask the table, when it is time to or nothing else is to be done."""
        if idle or now - self._looked_at >= DISCOVER_S:
            self._queues.hear_of(await self._store.waiting_queues())
            self._looked_at = now
            self._laps = max(self._laps, LAP)
        if self._queues.overlooked:
            self._queues.overlooked = False
            self._laps = NEWS_LAPS
        if self._laps and self._queues.keys < KEYS_KNOWN:
            await self._look_for_keys()

    async def _look_for_keys(self) -> None:
        found = await self._store.waiting_keys(self._after, KEYS_PER_LOOK)
        self._queues.hear_of((), found)
        if len(found) == KEYS_PER_LOOK:
            self._after = found[-1]
        else:
            self._after = ("", "")
            self._laps -= 1
