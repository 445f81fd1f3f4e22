"""Names of incarnations: unique, and in the order of their birth, so that a hub knows which of two streams is older.

A name begins with the wall clock's nanoseconds. Clocks of two machines differ by less than a take-over takes, and who
takes over has heard the last owner's term and begins above it (`not_before`).
"""

import secrets
import time
from typing import Final

_STAMP: Final = 16
_LENGTH: Final = 32


class Births:
    """The births of one process: each later than the last, whatever the clock does."""

    def __init__(self) -> None:
        self._last = 0

    def stamp(self) -> int:
        """The next stamp."""
        self._last = max(time.time_ns(), self._last + 1)
        return self._last

    def not_before(self, stamp: int) -> None:
        """Everything born from here on is younger than `stamp`."""
        self._last = max(self._last, stamp)


_births = Births()


def mint() -> str:
    """The name of a new incarnation."""
    return f"{_births.stamp():0{_STAMP}x}{secrets.token_hex(_LENGTH // 2 - _STAMP // 2)}"


def term() -> int:
    """A number greater than every earlier term of this process and every one that it has heard of."""
    return _births.stamp()


def not_before(stamp: int) -> None:
    """Somebody else's term was heard: what is minted here from now on is younger."""
    _births.not_before(stamp)


def is_older(one: str, other: str) -> bool:
    """Whether `one` was born before `other`. Names that were not minted here have no order."""
    return len(one) == len(other) == _LENGTH and one[:_STAMP] < other[:_STAMP]
