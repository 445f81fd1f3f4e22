"""Holds connections and users to their rates. Plain arithmetic in this process: no call per command.

What is remembered is one number per bucket, and only while the bucket is not full.
"""

from typing import Final

from actors.protocol.namespace import Namespace
from actors.protocol.namespaces import Namespaces
from actors.protocol.rates import OperationRates, Rate, parse

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

    def __init__(self, namespaces: Namespaces) -> None:
        limits = namespaces.rate_limits
        self._connection = {kind: _rates(limits.connection, kind) for kind in (*OPERATIONS, *NEVER_REFUSED)}
        self._user = {kind: _rates(limits.user, kind) for kind in (*OPERATIONS, *NEVER_REFUSED)}
        self.counts_users = any(self._user.values())
        self.asks_namespaces = any(namespaces.get(name).has_rates for name in namespaces.names)
        """Whether a command's channel matters."""

    def allows(self, kind: str, rules: Namespace | None, own: Buckets, user: Buckets | None, now: float) -> bool:
        """Charge a command; False when one of its buckets is empty. Then none is charged.

        `rules` are those of its channel, `own` the connection's buckets, `user` its user's, if they are counted.
        """
        charges = [(own, name, rate) for name, rate in self._connection[kind]]
        if user is not None:
            charges += [(user, name, rate) for name, rate in self._user[kind]]
        if rules is not None:
            operation = OPERATIONS.get(kind, "")
            rate = parse(getattr(rules, f"{operation}_rate", ""))
            if rate is not None:
                charges.append((own, f"{rules.name}:{operation}", rate))
        filled: list[tuple[Buckets, str, float]] = []
        for buckets, name, rate in charges:
            full_at = rate.take(buckets.get(name, 0.0), now)
            if full_at is not None:
                filled.append((buckets, name, full_at))
            elif kind not in NEVER_REFUSED:
                return False
        for buckets, name, full_at in filled:
            buckets[name] = full_at
        return True


def _rates(rates: OperationRates, kind: str) -> tuple[tuple[str, Rate], ...]:
    """The buckets that a command of this kind takes from."""
    found = ((name, parse(getattr(rates, name))) for name in ("all", OPERATIONS.get(kind, "")) if name)
    return tuple((name, rate) for name, rate in found if rate is not None)
