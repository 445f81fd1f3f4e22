"""Rates: `20/s`, `100/m`, `1000/h`, and what it takes to hold somebody to one.

A rate is a token bucket that holds as many tokens as it gets in its time: that many at once, then evenly. All that has
to be remembered of a bucket is one number, the time at which it will be full again.
"""

import re
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import msgspec

_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,8})/([smhd])")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

WrittenRate = Annotated[str, msgspec.Meta(pattern=r"^([1-9][0-9]{0,8}/[smhd])?$")]
"""A rate in YAML; empty: no limit."""


class Rate(NamedTuple):
    """At most `burst` at once, and one more every `interval_s`."""

    burst: int
    interval_s: float

    def take(self, full_at: float, now: float) -> float | None:
        """The time at which the bucket is full again after one more token; None: there is none left.

        `full_at` is what this returned last time, or 0.
        """
        full_at = max(full_at, now)
        after = full_at + self.interval_s
        return after if after - now <= self.burst * self.interval_s + 1e-9 else None

    def owe(self, full_at: float, tokens: int, now: float) -> float:
        """The time at which the bucket is full again after so many more tokens, which were taken elsewhere.

        Nobody was asked, so the bucket may be overdrawn: it is empty for as much longer.
        """
        return max(full_at, now) + tokens * self.interval_s


@lru_cache(maxsize=1024)
def parse(written: str) -> Rate | None:
    """The rate that is written; None for an empty text. Raises ValueError."""
    if not written:
        return None
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} is no rate such as 20/s or 100/m")
    burst = int(match[1])
    return Rate(burst, _SECONDS[match[2]] / burst)


class OperationRates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often something may be done. A refused command is answered with error 111."""

    all: WrittenRate = ""
    """Commands of every kind. Those that give something up or keep a token fresh count and are never refused."""
    subscribe: WrittenRate = ""
    """Subscribe commands."""
    publish: WrittenRate = ""
    """Publish commands."""
    history: WrittenRate = ""
    """History commands."""
    presence: WrittenRate = ""
    """Presence and its counts."""
    rpc: WrittenRate = ""
    """Calls of the application's methods."""
    message: WrittenRate = ""
    """Messages without reply: beyond this the connection is closed with 3013."""


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rate_limits:` of the namespaces file."""

    connection: OperationRates = OperationRates()
    """Of each connection."""
    user: OperationRates = OperationRates()
    """Of all connections of a user, wherever they are. Anonymous connections have no user to count for."""
