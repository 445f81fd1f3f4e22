"""A bounded map with lifetimes and tags: what a process keeps at its own level of the cache."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

V = TypeVar("V")

ENTRY_OVERHEAD = 300
"""Bytes that an entry costs beside its value: key, tags and the maps that hold them."""


@dataclass(frozen=True, slots=True)
class Entry(Generic[V]):
    """One value. `expires` is on the caller's monotonic clock, `size` in bytes."""

    value: V
    expires: float
    tags: tuple[str, ...]
    size: int


class BoundedStore(Generic[V]):
    """Least recently used entries leave first once `limit_bytes` are reached. Times are the caller's, in seconds."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._entries: OrderedDict[str, Entry[V]] = OrderedDict()
        self._by_tag: dict[str, set[str]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> Entry[V] | None:
        """The entry, unless it is over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.expires <= now:
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: str, value: V, *, expires: float, tags: tuple[str, ...], size: int) -> None:
        """Keep a value of `size` bytes. One that is larger than the whole store is not kept."""
        self.drop(key)
        entry = Entry(value, expires, tags, size + ENTRY_OVERHEAD)
        if entry.size > self._limit:
            return
        self._entries[key] = entry
        self.bytes += entry.size
        for tag in tags:
            self._by_tag.setdefault(tag, set()).add(key)
        while self.bytes > self._limit:
            self.drop(next(iter(self._entries)))

    def drop(self, key: str) -> None:
        """Forget one entry, if it is there."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self.bytes -= entry.size
        for tag in entry.tags:
            keys = self._by_tag[tag]
            keys.discard(key)
            if not keys:
                del self._by_tag[tag]

    def invalidate(self, keys: Iterable[str], tags: Iterable[str]) -> None:
        """Forget these keys and everything made from these tags."""
        for key in keys:
            self.drop(key)
        for tag in tags:
            for key in list(self._by_tag.get(tag, ())):
                self.drop(key)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._by_tag.clear()
        self.bytes = 0
