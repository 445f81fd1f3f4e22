"""The keys of one map in its shard's memory: newest values, pages, conditions, limits, expiry. Plain data, no I/O."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Final

from actors.brokers.contract import BrokerError
from actors.brokers.memory import Memory
from actors.brokers.operations import Publish
from actors.protocol.namespace_groups import MapOptions

PAGE_BYTES: Final = 256 * 1024
"""A page ends here, however many entries were asked for: a client's queue holds a few of them."""

SLACK: Final = 64
"""Deadlines that are over are thrown away when there are more of them than keys, and than this."""

NEVER: Final = float("inf")

KEY_EXISTS: Final = "key_exists"
KEY_NOT_FOUND: Final = "key_not_found"
POSITION_MISMATCH: Final = "position_mismatch"
OLD_VERSION: Final = "version"
"""Why a conditional change was not made."""


@dataclass(frozen=True, slots=True)
class Value:
    """The newest value of a key. `pub` is its publication as pages deliver it, `data` the payload alone."""

    pub: bytes
    data: bytes
    offset: int
    score: int = 0
    version: int = 0
    version_epoch: str = ""
    expires: float = NEVER
    tags: dict[str, str] | None = None


@dataclass(slots=True)
class Page:
    """Encoded publications, and where the next page begins; an empty cursor means that there is none."""

    pubs: list[bytes]
    cursor: str


@dataclass(slots=True)
class Draft:
    """What changes that are decided but not yet made will have done to a map: None is a key that is removed."""

    values: dict[str, tuple[int, int, str, int] | None] = field(default_factory=dict)
    """Key → (offset, version, version epoch, size of the payload)."""
    keys: int = 0
    bytes: int = 0
    """By how much they change the number of keys, and the size."""


class MapState:
    """Keys and their newest values.

    Ordered by (score, key); in a map that is not ordered every score counts as 0 there, so that pages come by key.
    """

    def __init__(self, options: MapOptions, memory: Memory | None = None) -> None:
        self.options = options
        self._memory = memory or Memory()
        self.values: dict[str, Value] = {}
        self.bytes = 0
        """Keys and payloads together."""
        self._order: list[tuple[int, str]] = []
        self._deadlines: list[tuple[float, str]] = []
        """A heap of when keys expire. What was set again or removed since is left in it until it comes up."""

    def decide(self, op: Publish, draft: Draft, epoch: str, offset: int) -> str:
        """Whether a change may be made, after those in `draft`, to which it is added if so.

        Returns '' or why its condition does not hold. Raises BrokerError 106 for a limit, 107 for a key that cannot be.
        """
        change = op.change
        if change is None:
            raise BrokerError(107, "a map takes changes of keys, not publications")
        options = self.options
        key = change.key
        if not key or len(key) > options.max_key_bytes or len(key.encode()) > options.max_key_bytes:
            raise BrokerError(107, f"a key has 1 to {options.max_key_bytes} bytes")
        known = self._seen(key, draft)
        if op.version and known is not None and known[2] == op.version_epoch and op.version <= known[1]:
            return OLD_VERSION
        if change.expected is not None and (epoch, known[0] if known is not None else 0) != change.expected:
            return POSITION_MISMATCH
        if known is None and (change.removed or change.mode == "if_exists"):
            return KEY_NOT_FOUND
        if known is not None and change.mode == "if_new" and not change.removed:
            return KEY_EXISTS
        before = 0 if known is None else len(key) + known[3]
        if change.removed:
            draft.values[key] = None
            draft.keys -= 1
            draft.bytes -= before
            return ""
        if change.ttl_s and options.mode == "persistent":
            raise BrokerError(107, "keys of a persistent map stay until they are removed")
        size = len(op.data)
        if size > options.max_value_bytes:
            raise BrokerError(106, f"a value has {options.max_value_bytes} bytes at most")
        if known is None and len(self.values) + draft.keys >= options.max_keys:
            raise BrokerError(106, f"the map has {options.max_keys} keys, as many as it may")
        grown = len(key) + size - before
        if grown > 0 and self.bytes + draft.bytes + grown > options.max_bytes:
            raise BrokerError(106, f"the map has {options.max_bytes} bytes at most")
        draft.values[key] = (offset, op.version, op.version_epoch, size)
        draft.keys += known is None
        draft.bytes += grown
        return ""

    def _seen(self, key: str, draft: Draft) -> tuple[int, int, str, int] | None:
        if key in draft.values:
            return draft.values[key]
        value = self.values.get(key)
        return None if value is None else (value.offset, value.version, value.version_epoch, len(value.data))

    def put(self, key: str, value: Value) -> None:
        """Make this the newest value of a key."""
        self.remove(key)
        self.values[key] = value
        self.bytes += len(key) + len(value.data)
        self._memory.take(_weight(key, value))
        insort(self._order, self._place(key, value))
        if value.expires != NEVER:
            heappush(self._deadlines, (value.expires, key))
            if len(self._deadlines) > 2 * len(self.values) + SLACK:
                self._deadlines = [(value.expires, key) for key, value in self.values.items() if value.expires != NEVER]
                heapify(self._deadlines)

    def remove(self, key: str) -> None:
        """Forget a key; one that is not there is no mistake."""
        value = self.values.pop(key, None)
        if value is None:
            return
        self.bytes -= len(key) + len(value.data)
        self._memory.give(_weight(key, value))
        del self._order[bisect_left(self._order, self._place(key, value))]

    def clear(self) -> None:
        """Forget all keys."""
        for key, value in self.values.items():
            self._memory.give(_weight(key, value))
        self.values.clear()
        self._order.clear()
        self._deadlines.clear()
        self.bytes = 0

    def load(self, entries: Iterable[tuple[str, Value]]) -> None:
        """Have these keys and no others."""
        self.clear()
        for key, value in entries:
            self.values[key] = value
            self.bytes += len(key) + len(value.data)
            self._memory.take(_weight(key, value))
        self._order = sorted(self._place(key, value) for key, value in self.values.items())

    def let_go(self) -> None:
        """What is here is not to be counted any more."""
        for key, value in self.values.items():
            self._memory.give(_weight(key, value))
        self._memory = Memory()

    def expired(self, now: float, limit: int) -> list[str]:
        """Keys whose time is over, at most `limit`. They are named once, and stay until they are removed."""
        # A key that was set twice to expire at the same time has two deadlines.
        found: dict[str, None] = {}
        while len(found) < limit and self.next_expiry <= now:
            found[heappop(self._deadlines)[1]] = None
        return list(found)

    @property
    def next_expiry(self) -> float:
        """When the next key expires; infinite for none."""
        deadlines = self._deadlines
        while deadlines:
            due, key = deadlines[0]
            value = self.values.get(key)
            if value is not None and value.expires == due:
                return due
            heappop(deadlines)
        return NEVER

    def page(self, cursor: str, limit: int, *, ascending: bool, upto: int | None = None) -> Page:
        """Entries after the cursor. Raises BrokerError 107 for a cursor that this map never gave out.

        `upto`: leaves out what changed after that offset: whoever reads pages gets it from the stream.
        """
        pubs: list[bytes] = []
        size = 0
        last: tuple[int, str] | None = None
        for place in self._after(cursor, ascending=ascending or not self.options.ordered):
            if last is not None and (len(pubs) >= limit or size >= PAGE_BYTES):
                return Page(pubs, _cursor(last))
            last = place
            value = self.values[place[1]]
            if upto is None or value.offset <= upto:
                pubs.append(value.pub)
                size += len(value.pub)
        return Page(pubs, "")

    def _after(self, cursor: str, *, ascending: bool) -> Iterator[tuple[int, str]]:
        order = self._order
        if ascending:
            start = bisect_right(order, _place_of(cursor)) if cursor else 0
            return (order[index] for index in range(start, len(order)))
        start = bisect_left(order, _place_of(cursor)) if cursor else len(order)
        return (order[index] for index in range(start - 1, -1, -1))

    def _place(self, key: str, value: Value) -> tuple[int, str]:
        return (value.score if self.options.ordered else 0, key)


def _weight(key: str, value: Value) -> int:
    return 2 * len(key) + len(value.data) + len(value.pub)


def _cursor(place: tuple[int, str]) -> str:
    return f"{place[0]}:{place[1]}"


def _place_of(cursor: str) -> tuple[int, str]:
    score, colon, key = cursor.partition(":")
    try:
        return int(score), key if colon else _refuse()
    except ValueError:
        return 0, _refuse()


def _refuse() -> str:
    raise BrokerError(107, "not a cursor of this map")
