"""Holds connections and users to their rates. Plain arithmetic in this process: no call per command.

What is remembered is one number per bucket, and only while the bucket is not full.
"""

from typing import Final

from actors.protocol.namespace import Namespace
from actors.protocol.rates import OperationRates, Rate, RateLimits, parse

NEVER_REFUSED: Final = frozenset({"connect", "unsubscribe", "refresh", "sub_refresh", "ping"})
"""Refusing these would make SDKs reconnect, or end what a token has just prolonged."""

OPERATIONS: Final = {
    "subscribe": "subscribe",
    "publish": "publish",
    "history": "history",
    "presence": "presence",
    "presence_stats": "presence",
    "rpc": "rpc",
    "send": "message",
}
"""Kind of command → its operation."""

REMEMBERED_USERS: Final = 20_000
"""Full buckets are dropped when there are more."""

Buckets = dict[str, float]
"""Bucket → when it is full again."""


class UserBuckets:
    """The buckets of all users of one process."""

    def __init__(self) -> None:
        self._buckets: dict[str, Buckets] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, user: str, now: float) -> Buckets:
        """The user's buckets; drops what is full when there are many."""
        found = self._buckets.get(user)
        if found is None:
            if len(self._buckets) >= REMEMBERED_USERS:
                self._buckets = {
                    known: buckets
                    for known, buckets in self._buckets.items()
                    if any(at > now for at in buckets.values())
                }
            found = self._buckets[user] = {}
        return found


class Limiter:
    """The rates of one set of rules, parsed once."""

    def __init__(self, limits: RateLimits) -> None:
        self._connection = _parsed(limits.connection)
        self._user = _parsed(limits.user)
        self.counts_users = bool(self._user)

    def allows(self, kind: str, rules: Namespace | None, own: Buckets, user: Buckets | None, now: float) -> bool:
        """Charge a command; False when one of its buckets is empty. Then none is charged.

        `rules` are those of its channel, `own` the connection's buckets, `user` its user's, if they are counted.
        """
        operation = OPERATIONS.get(kind, "")
        charges: list[tuple[Buckets, str, Rate]] = []
        for buckets, rates in ((own, self._connection), (user, self._user)):
            if buckets is not None:
                charges += [(buckets, name, rates[name]) for name in ("all", operation) if name in rates]
        if rules is not None:
            written = getattr(rules, f"{operation}_rate", "")
            rate = parse(written)
            if rate is not None:
                charges.append((own, f"{rules.name}:{operation}", rate))
        fills = [rate.take(buckets.get(name, 0.0), now) for buckets, name, rate in charges]
        if kind not in NEVER_REFUSED and None in fills:
            return False
        for (buckets, name, _), full_at in zip(charges, fills, strict=True):
            if full_at is not None:
                buckets[name] = full_at
        return True


def _parsed(rates: OperationRates) -> dict[str, Rate]:
    found = {name: parse(getattr(rates, name)) for name in OperationRates.__struct_fields__}
    return {name: rate for name, rate in found.items() if rate is not None}
