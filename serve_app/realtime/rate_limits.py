"""Holds connections and users to their rates. Plain arithmetic in this process: no call per command.

What is remembered is one number per bucket, and only while the bucket is not full. Processes tell each other what users
have spent, twenty times a second. So a user who is everywhere at once may spend a full bucket in each process for that
moment, and waits for all of it afterwards: over any longer time the rate holds for the cluster.
"""

from collections.abc import Callable, Mapping
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
SWEEP_EVERY_S: Final = 1.0
"""Full buckets are dropped when there are more."""

SHARE_EVERY_S: Final = 0.05

Buckets = dict[str, float]
"""Bucket → when it is full again."""

Amounts = dict[str, int]
"""Bucket → tokens."""


class UserBuckets:
    """The buckets of all users that this process has heard of, and what they spent here since it last told others."""

    def __init__(self) -> None:
        self.on_spending: Callable[[], None] = lambda: None
        """Called when there is something to tell others, once until it is taken."""
        self._buckets: dict[str, Buckets] = {}
        self._spent: dict[str, Amounts] = {}
        self._swept_at = float("-inf")

    def __len__(self) -> int:
        return len(self._buckets)

    def spending(self, user: str) -> Amounts:
        """Where to write down what the user spends."""
        if not self._spent:
            self.on_spending()
        return self._spent.setdefault(user, {})

    def take_spent(self) -> Mapping[str, Amounts]:
        """What was spent since the last time."""
        spent, self._spent = self._spent, {}
        return {user: amounts for user, amounts in spent.items() if amounts}

    def of(self, user: str, now: float) -> Buckets:
        """The user's buckets; drops what is full when there are many."""
        found = self._buckets.get(user)
        if found is None:
            if len(self._buckets) >= REMEMBERED_USERS and now >= self._swept_at + SWEEP_EVERY_S:
                self._swept_at = now
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
        self._users_rates = {name: rate for rates in self._user.values() for name, rate in rates}
        self.counts_users = bool(self._users_rates)
        self.asks_namespaces = any(namespaces.get(name).has_rates for name in namespaces.names)
        """Whether a command's channel matters."""

    def allows(
        self,
        kind: str,
        rules: Namespace | None,
        own: Buckets,
        user: Buckets | None,
        now: float,
        spent: Amounts | None = None,
    ) -> bool:
        """Charge a command; False when one of its buckets is empty. Then none is charged.

        `rules` are those of its channel, `own` the connection's buckets, `user` its user's, if they are counted; what
        is taken from those is added to `spent`.
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
            if buckets is user and spent is not None:
                spent[name] = spent.get(name, 0) + 1
        return True

    def charge(self, user: Buckets, amounts: Mapping[str, int], now: float) -> None:
        """Take from a user's buckets what was spent in another process."""
        for name, tokens in amounts.items():
            rate = self._users_rates.get(name)
            if rate is not None:
                user[name] = rate.owe(user.get(name, 0.0), tokens, now)


def _rates(rates: OperationRates, kind: str) -> tuple[tuple[str, Rate], ...]:
    """The buckets that a command of this kind takes from."""
    found = ((name, parse(getattr(rates, name))) for name in ("all", OPERATIONS.get(kind, "")) if name)
    return tuple((name, rate) for name, rate in found if rate is not None)
