"""What the channels of a shard keep in memory, counted as it comes and goes."""

from collections.abc import Callable
from typing import Any, Final

ENTRY_BYTES: Final = 120
"""What an entry of a history, a map or a table costs beside its content."""


class Memory:
    """A count of bytes, and how many there may be (None: any number). What is counted is content: a channel itself
    weighs two or three kilobytes, and the number of channels has a bound of its own.

    `relieve(writing, now)` is asked to make room when a channel has written and it is full.
    """

    __slots__ = ("bytes", "limit", "relieve")

    def __init__(self) -> None:
        self.bytes = 0
        self.limit: int | None = None
        self.relieve: Callable[[Any, float], None] = _nothing

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self.limit is not None and self.bytes >= self.limit

    def take(self, size: int) -> None:
        """An entry with so much content is kept."""
        self.bytes += size + ENTRY_BYTES

    def give(self, size: int) -> None:
        """An entry with so much content is kept no more."""
        self.bytes -= size + ENTRY_BYTES


def _nothing(*_: Any) -> None:
    """Where nobody bounds it."""
