"""What a view of presence has told its watchers, and what it has yet to tell them. Plain data, no I/O.

Changes wait where telling each at once would cost too much, or flash: somebody comes back before it was told that they
left. Pages are read from what was told, so that a page and the changes after it always make the whole.
"""

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from actors.brokers.contract import ClientInfo

SHARE: Final = 10
"""Of very many that wait, one in so many is told at a time."""


class Present(Protocol):
    """One connection that is there."""

    @property
    def info(self) -> ClientInfo:
        """Who it is."""


class Change(NamedTuple):
    """A key that came, changed or went."""

    key: str
    info: ClientInfo | None
    removed: bool


@dataclass(slots=True)
class _Waiting:
    """One key: what watchers know of it, and what is so. `known` False: they know nothing of it."""

    known: bool
    known_info: ClientInfo | None
    info: ClientInfo | None
    removed: bool
    due: float


class ViewChanges:
    """One view's. Its keys are those of the presence that it shows, but for what waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._order: list[str] | None = None
        """The keys that watchers know in the order of pages, once somebody has read one."""
        self.timer: asyncio.TimerHandle | None = None
        """When the next of them is told."""

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def change(
        self, key: str, before: ClientInfo | None, info: ClientInfo | None, due: float, *, known: bool, removed: bool
    ) -> None:
        """A key is so from now on; told when it is `due`. `known`, `before`: what it was, unless it waits already."""
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting(known, before, info, removed, due)
        else:
            waiting.info, waiting.removed, waiting.due = info, removed, due
        if removed != waiting.known and (removed or info == waiting.known_info):
            del self._waiting[key]

    def next_due(self) -> float | None:
        """When the first of them is to be told."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def tell(self, key: str) -> list[Change]:
        """Tell this one now, if there is something to tell."""
        return [self._tell(key)] if key in self._waiting else []

    def take(self, now: float, limit: int) -> list[Change]:
        """What is to be told now: the longest waiting first, and no more than `limit` or a share of all."""
        most = max(limit, len(self._waiting) // SHARE)
        due = [key for key, waiting in self._waiting.items() if waiting.due <= now][:most]
        return [self._tell(key) for key in due]

    def _tell(self, key: str) -> Change:
        waiting = self._waiting.pop(key)
        order = self._order
        if order is not None:
            index = bisect_left(order, key)
            is_there = index < len(order) and order[index] == key
            if waiting.removed and is_there:
                del order[index]
            elif not waiting.removed and not is_there:
                insort(order, key)
        return Change(key, waiting.info, waiting.removed)

    def after(self, cursor: str, keys: Iterable[str]) -> Iterator[str]:
        """What watchers know, in order, after the key that is the cursor. `keys`: those that are so."""
        if self._order is None:
            known = {key for key in keys if key and key not in self._waiting}
            known.update(key for key, waiting in self._waiting.items() if waiting.known)
            self._order = sorted(known)
        order = self._order
        return (order[index] for index in range(bisect_right(order, cursor) if cursor else 0, len(order)))

    def info(self, key: str, present: Mapping[str, Present]) -> ClientInfo | None:
        """What watchers know of a key; `present` is what is so."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            return waiting.known_info
        return present[key].info if key in present else None
