"""The kinds of session events, and their bits on the roster (migration 0008 knows them too)."""

from collections.abc import Iterable, Mapping
from typing import Final

BITS: Final[Mapping[str, int]] = {
    "connected": 1,
    "disconnected": 2,
    "subscribed": 4,
    "unsubscribed": 8,
    "occupied": 16,
    "vacated": 32,
}

OF_CONNECTIONS: Final = BITS["connected"] | BITS["disconnected"]


def wanted(names: Iterable[str]) -> int:
    """The events that a namespace names, as bits. Raises KeyError for a name that is none."""
    bits = 0
    for name in names:
        bits |= BITS[name]
    return bits
