"""The recent publications of one channel, in memory."""

from collections import deque
from collections.abc import Callable
from itertools import islice

from actors.brokers.memory import ENTRY_BYTES, Memory


class Ring:
    """Encoded publications `base + 1 … top`, the oldest first; bounded by number and age, counted in `memory`."""

    __slots__ = ("_entries", "_memory", "_size", "_ttl_s", "base")

    def __init__(self, size: int, ttl_s: float, base: int = 0, memory: Memory | None = None) -> None:
        self.base = base
        """Offset of the newest publication that is not here any more."""
        self._size = size
        self._ttl_s = ttl_s
        self._entries: deque[tuple[float, bytes]] = deque()
        self._memory = memory or Memory()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._entries)

    @property
    def top(self) -> int:
        """Offset of the newest publication here, or the base when there is none."""
        return self.base + len(self._entries)

    def append(self, pub: bytes, now: float) -> None:
        """Add the publication with offset `top + 1`."""
        entries = self._entries
        entries.append((now, pub))
        if len(entries) > self._size:
            self._memory.bytes += len(pub) - len(entries.popleft()[1])
            self.base += 1
        else:
            self._memory.bytes += len(pub) + ENTRY_BYTES

    def drop_oldest(self) -> bool:
        """Forget the oldest publication. False when there is none."""
        if not self._entries:
            return False
        self._memory.give(len(self._entries.popleft()[1]))
        self.base += 1
        return True

    def let_go(self) -> None:
        """What is here is not to be counted any more."""
        for _, pub in self._entries:
            self._memory.give(len(pub))
        self._memory = Memory()

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        entries = self._entries
        limit = now - self._ttl_s
        while entries and entries[0][0] <= limit:
            self.drop_oldest()

    def keep(self, size: int, ttl_s: float) -> None:
        """Keep this many for this long from now on."""
        self._size, self._ttl_s = size, ttl_s
        while len(self._entries) > size:
            self.drop_oldest()

    def clear(self, base: int) -> None:
        """Forget everything; the next publication gets offset `base + 1`."""
        while self._entries:
            self.drop_oldest()
        self.base = base

    def drop(self, offset: int) -> None:
        """Forget publications up to `offset`."""
        while self._entries and self.base < offset:
            self.drop_oldest()

    def replace(self, offset: int, change: Callable[[bytes], bytes]) -> bool:
        """Put another publication into the place of this one. False when it is not here."""
        index = offset - self.base - 1
        if not 0 <= index < len(self._entries):
            return False
        at, pub = self._entries[index]
        changed = change(pub)
        self._entries[index] = (at, changed)
        self._memory.bytes += len(changed) - len(pub)
        return True

    def ages(self, now: float) -> list[tuple[float, bytes]]:
        """(age in seconds, publication), the oldest first."""
        return [(now - at, pub) for at, pub in self._entries]

    def after(self, offset: int, limit: int | None = None) -> list[bytes]:
        """Publications with greater offsets, oldest first. Complete only if `offset >= base`."""
        start = max(0, offset - self.base)
        stop = None if limit is None else start + limit
        return [pub for _, pub in islice(self._entries, start, stop)]

    def before(self, offset: int, limit: int | None = None) -> list[bytes]:
        """Publications with smaller offsets, newest first."""
        count = max(0, min(offset - 1, self.top) - self.base)
        newest_first = [pub for _, pub in islice(self._entries, count)][::-1]
        return newest_first[:limit]
