"""What the policies of queues allow to start now: counted in the owner's memory, from its leases and its clock."""

from collections.abc import Mapping
from typing import Final

from actors.jobs.contract import QueuePolicy, Rate
from actors.jobs.leases import LeaseBook

UNBOUNDED: Final = 1_000_000
ROUNDING: Final = 1e-6
"""A wait that was computed to end now has ended, whatever the last bits say."""

PRUNE_AT: Final = 10_000


class Pace:
    """Starts at a `Rate`, of any number of keys (the generic cell rate algorithm: one number per key).

    In memory only: a new owner begins with every burst allowed, so each change of owner may add one burst to what the
    rate allows. To remember starts for longer would cost a write per claim.
    """

    def __init__(self, rate: Rate) -> None:
        self._interval = rate.per_s / rate.starts
        self._slack = self._interval * (rate.burst - 1)
        self._due: dict[str | None, float] = {}
        """When the next start of a key would be due, were they spread evenly."""
        self._prune_at = PRUNE_AT

    def available(self, key: str | None, now: float) -> int:
        """How many may start now."""
        ahead = max(self._due.get(key, now) - now, 0.0)
        return max(0, int((self._slack - ahead) / self._interval + 1.0 + ROUNDING))

    def wait_s(self, key: str | None, now: float) -> float:
        """Seconds until one may start."""
        return max(0.0, self._due.get(key, now) - now - self._slack)

    def started(self, key: str | None, count: int, now: float) -> None:
        """So many have started."""
        self._due[key] = max(self._due.get(key, now), now) + count * self._interval
        if len(self._due) >= self._prune_at:
            self._due = {key: due for key, due in self._due.items() if due > now}
            self._prune_at = max(PRUNE_AT, 2 * len(self._due))


class Limits:
    """What may start in each queue, and of each key.

    Leases are counted, not jobs that run: one that was granted or taken over, or whose end is not committed yet, or
    whose agent is dead and not rescued yet, holds its place. So neither a new owner nor an outage lets more run.
    """

    def __init__(self, policies: Mapping[str, QueuePolicy], book: LeaseBook) -> None:
        self._policies = policies
        self._book = book
        self._paces = {queue: Pace(policy.rate) for queue, policy in policies.items() if policy.rate}
        self._key_paces = {
            queue: Pace(policy.rate_per_key) for queue, policy in policies.items() if policy.rate_per_key
        }

    def of_queue(self, queue: str, now: float) -> int:
        """How many jobs of a queue may start now."""
        policy = self._policies.get(queue)
        if policy is None:
            return UNBOUNDED
        allowed = UNBOUNDED if policy.limit is None else policy.limit - self._book.running(queue)
        pace = self._paces.get(queue)
        return allowed if pace is None else min(allowed, pace.available(None, now))

    def of_key(self, queue: str, key: str | None, now: float) -> int:
        """How many jobs of one key may start now, the queue's own limits aside."""
        policy = self._policies.get(queue)
        if policy is None:
            return UNBOUNDED
        allowed = (
            UNBOUNDED if policy.limit_per_key is None else policy.limit_per_key - self._book.running_of(queue, key)
        )
        pace = self._key_paces.get(queue)
        return allowed if pace is None else min(allowed, pace.available(key, now))

    def runs(self, queue: str, key: str | None) -> bool:
        """Whether a job of the key is leased."""
        return self._book.running_of(queue, key) > 0

    def queue_wait_s(self, queue: str, now: float) -> float:
        """Seconds until the queue's rate allows a start."""
        pace = self._paces.get(queue)
        return 0.0 if pace is None else pace.wait_s(None, now)

    def key_wait_s(self, queue: str, key: str | None, now: float) -> float:
        """Seconds until the key's rate allows a start."""
        pace = self._key_paces.get(queue)
        return 0.0 if pace is None else pace.wait_s(key, now)

    def started(self, queue: str, key: str | None, count: int, now: float) -> None:
        """Jobs of a key were leased."""
        if (pace := self._paces.get(queue)) is not None:
            pace.started(None, count, now)
        if (pace := self._key_paces.get(queue)) is not None:
            pace.started(key, count, now)
