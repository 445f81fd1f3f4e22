"""Publications of one channel that wait for each other, to leave in one write.

For channels whose namespace says so: fewer writes and frames at the price of a bounded delay. With `batch_flush_latest`
only the newest of those that gathered is written.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from actors.brokers.contract import Publication
from actors.protocol.namespace import Namespace

BATCH_BYTES: Final = 65_536
"""A batch of this size leaves at once: it must stay small beside what a client may leave unread."""


class Batch:
    """What gathered in one channel."""

    def __init__(self, rules: Namespace, is_due: Callable[[], None]) -> None:
        self._rules = _options(rules)
        self._delay_s = rules.batch_max_delay_ms / 1000
        self._max_size = rules.batch_max_size
        self.latest_only = rules.batch_flush_latest
        self._is_due = is_due
        self._gathered: list[Publication] = []
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def keeps_to(self, rules: Namespace) -> bool:
        """Whether these rules say the same of batches as those that it was made by."""
        return self._rules == _options(rules)

    def add(self, publications: Sequence[Publication], loop: asyncio.AbstractEventLoop) -> bool:
        """Let these wait, `is_due` is called in time. Returns whether the batch is full and must leave now."""
        if self.latest_only:
            publications = _latest([*self._gathered, *publications])
            self._gathered, self._bytes = [], 0
        self._gathered += publications
        self._bytes += sum(len(publication.data) for publication in publications)
        if self._timer is None:
            self._timer = loop.call_later(self._delay_s, self._is_due)
        if self._bytes >= BATCH_BYTES:
            return True
        return 0 < self._max_size <= len(self._gathered) and not self.latest_only

    def take(self) -> list[Publication]:
        """What gathered; the next batch begins with the next publication."""
        gathered, self._gathered, self._bytes = self._gathered, [], 0
        self.cancel()
        return gathered

    def cancel(self) -> None:
        """Nobody listens any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _options(rules: Namespace) -> tuple[int, int, bool]:
    return rules.batch_max_delay_ms, rules.batch_max_size, rules.batch_flush_latest


def _latest(publications: Sequence[Publication]) -> list[Publication]:
    """The newest for everyone: those who are left out of it get the newest that is for them too."""
    kept: dict[str, list[Publication]] = {}
    for publication in reversed(publications):
        newer = kept.setdefault(publication.key, [])
        if not newer or (newer[-1].exclude_clients or newer[-1].exclude_users):
            newer.append(publication)
    found = {id(publication) for newer in kept.values() for publication in newer}
    return [publication for publication in publications if id(publication) in found]
