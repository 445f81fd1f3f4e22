"""Makes due jobs ready, and learns which are to be cancelled."""

import math
from typing import Final

from db.jobs.store import JobStore, Staged

STAGE_S: Final = 0.1
"""How often the table is asked while there is no rest: who deferred or cancelled a job may not have said so."""


class Staging:
    """Asks the table when somebody says so, when a job becomes due, when nothing else is to be done, and now and then.

    Not in every round: while one claim follows the other that would be one statement in three, and before the job that
    a wake-up has named it would be half of the way.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._asked_at = -math.inf
        self._due_at = -math.inf
        self._wanted = True

    def want(self) -> None:
        """A job was deferred, or is to be cancelled."""
        self._wanted = True

    async def look(self, now: float, *, idle: bool) -> Staged:
        """What the table says, if it is time to ask; otherwise nothing."""
        if not (idle or self._wanted or now >= self._due_at or now - self._asked_at >= STAGE_S):
            return Staged((), (), None, ())
        self._wanted = False  # before the question: what is said meanwhile is asked again
        try:
            staged = await self._store.stage()
        except BaseException:
            self._wanted = True
            raise
        self._asked_at = now
        self._due_at = math.inf if staged.next_in_s is None else now + staged.next_in_s
        return staged

    def next_in_s(self, now: float) -> float | None:
        """Seconds until the next deferred job becomes due, as far as was said."""
        return None if math.isinf(self._due_at) else max(0.0, self._due_at - now)
