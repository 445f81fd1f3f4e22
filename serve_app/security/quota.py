"""Quotas by GCRA: an even rate with a burst, one number per caller. Shared through Valkey, else counted per process.

A request that asked Valkey each time would cost more than a small request itself. So a process takes a few requests at
once from a large quota and spends them locally; what it does not spend within five seconds is lost to the caller, which
is why a lease is a hundredth of the quota. Small quotas (a login limit, a test) are leased one by one, and are exact.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from cluster.logging import get_logger
from serve_app.security.keyed_locks import KeyedLocks

LEASE_DIVISOR = 100
LEASE_S = 5.0
REMEMBERED_CALLERS = 10_000
"""Bounds memory against callers that change their address."""

VALKEY_TIMEOUT_S = 0.25
"""A slow Valkey must not slow every request."""

RETRY_VALKEY_S = 5.0
"""How long a process counts alone after Valkey failed."""

GCRA = """
local t=redis.call('TIME'); local now=t[1]*1000+math.floor(t[2]/1000)
local q,w,cost=tonumber(ARGV[1]),tonumber(ARGV[2])*1000,tonumber(ARGV[3])
local ei=w/q; local tat=tonumber(redis.call('GET',KEYS[1]) or now); if tat<now then tat=now end
local new=tat+ei*cost; local over=new-now-w
if over>0 then return {0,math.max(0,math.floor((w-(tat-now))/ei+1e-6)),math.ceil(over),math.ceil(tat-now)} end
redis.call('SET',KEYS[1],string.format('%.3f',new),'PX',math.ceil(new-now))
return {1,math.floor((w-(new-now))/ei+1e-6),0,math.ceil(new-now)}
"""

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `quota` requests in `window_s` seconds. A quota of 0 is no limit."""

    name: str
    quota: int
    window_s: int = 60

    @property
    def lease(self) -> int:
        """How many requests a process takes at once."""
        return max(1, self.quota // LEASE_DIVISOR)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a request may go on, what is left, and when the quota is full again."""

    allowed: bool
    remaining: int
    reset_s: int
    retry_after_s: float = 0.0


@dataclass(slots=True)
class _Lease:
    """What Valkey said last of one caller, for as long as it holds: some requests at once, or that there are none."""

    tokens: int
    remaining: int
    reset_at: float
    ends_at: float
    is_refusal: bool = False


class LocalQuota:
    """GCRA in this process's memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._arrivals: OrderedDict[str, float] = OrderedDict()

    def take(self, policy: Policy, caller: str) -> Decision:
        """Charge one request."""
        now, interval = self._clock(), policy.window_s / policy.quota
        key = f"{policy.name}:{caller}"
        due = max(now, self._arrivals.get(key, now))
        new = due + interval
        over = new - now - policy.window_s
        if over > 1e-9:
            return Decision(False, 0, math.ceil(due - now), over)
        self._arrivals[key] = new
        self._arrivals.move_to_end(key)
        if len(self._arrivals) > REMEMBERED_CALLERS:
            self._arrivals.popitem(last=False)
        return Decision(True, int((policy.window_s - (new - now)) / interval + 1e-6), math.ceil(new - now))

    def give_back(self, policy: Policy, caller: str) -> None:
        """Take the charge of one request back."""
        key = f"{policy.name}:{caller}"
        if key in self._arrivals:
            self._arrivals[key] -= policy.window_s / policy.quota


class QuotaKeeper:
    """Decides for this process: from a lease, from Valkey, or alone."""

    def __init__(self, valkey: Redis | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._script = valkey.register_script(GCRA) if valkey is not None else None
        self._local = LocalQuota(clock)
        self._leases: OrderedDict[str, _Lease] = OrderedDict()
        self._turns: KeyedLocks[str] = KeyedLocks()
        self._alone_until = 0.0

    async def take(self, policy: Policy, caller: str) -> Decision:
        """Charge one request. Never raises: a limiter that fails must not stop the service."""
        if policy.quota <= 0:
            return Decision(True, 0, 0)
        key = f"mobula:quota:{policy.name}:{caller}"
        if (decision := self._decide_here(policy, caller, key)) is not None:
            return decision
        # One of a caller's requests asks at a time: each would take a lease, and keep only the last.
        async with self._turns.of(key):
            if (decision := self._decide_here(policy, caller, key)) is not None:
                return decision
            try:
                return await self._take_shared(policy, key)
            except (RedisError, OSError, TimeoutError):
                self._alone_until = self._clock() + RETRY_VALKEY_S
                logger.warning("rate limits are counted per process: Valkey does not answer")
                return self._local.take(policy, caller)

    def _decide_here(self, policy: Policy, caller: str, key: str) -> Decision | None:
        """By what this process knows; None when Valkey has to be asked."""
        now = self._clock()
        if self._script is None or now < self._alone_until:
            return self._local.take(policy, caller)
        lease = self._leases.get(key)
        if lease is None or now >= lease.ends_at:
            return None
        reset_s = max(0, math.ceil(lease.reset_at - now))
        if lease.is_refusal:
            return Decision(False, 0, reset_s, lease.ends_at - now)
        if lease.tokens == 0:
            return None
        lease.tokens -= 1
        return Decision(True, lease.remaining + lease.tokens, reset_s)

    async def _take_shared(self, policy: Policy, key: str) -> Decision:
        for cost in dict.fromkeys((policy.lease, 1)):
            allowed, remaining, retry_ms, reset_ms = await self._ask(policy, key, cost)
            now = self._clock()
            reset_at, reset_s = now + reset_ms / 1000, math.ceil(reset_ms / 1000)
            if allowed:
                self._remember(key, _Lease(cost - 1, remaining, reset_at, now + LEASE_S))
                return Decision(True, remaining + cost - 1, reset_s)
        # Nobody gives requests back, so that there are none before then is certain.
        self._remember(key, _Lease(0, 0, reset_at, now + retry_ms / 1000, is_refusal=True))
        return Decision(False, 0, reset_s, retry_ms / 1000)

    def _remember(self, key: str, lease: _Lease) -> None:
        self._leases[key] = lease
        self._leases.move_to_end(key)
        if len(self._leases) > REMEMBERED_CALLERS:
            self._leases.popitem(last=False)

    async def _ask(self, policy: Policy, key: str, cost: int) -> tuple[int, int, int, int]:
        assert self._script is not None  # noqa: S101 - `take` asked
        async with asyncio.timeout(VALKEY_TIMEOUT_S):
            answer = await self._script(keys=[key], args=[policy.quota, policy.window_s, cost])
        allowed, remaining, retry_ms, reset_ms = answer
        return allowed, remaining, retry_ms, reset_ms
