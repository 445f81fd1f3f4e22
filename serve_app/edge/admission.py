"""Who may open a connection now: after a failure thousands come back at once, and each costs a millisecond.

Handshakes are admitted at a bounded rate. Those over it wait their turn, those that would wait too long are told when
to come back, and nobody's turn depends on how hard he tries. Per address (IPv6: per /64) there is a rate too, and a cap
on connections that have not authenticated: until then a connection is nobody's.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Container
from typing import Final

from db.auth.networks import caller_network

BURST_S: Final = 1.0
"""Arrivals of this long at the full rate are admitted at once."""

ADDRESS_BURST_S: Final = 10.0
"""An address may be a whole office whose connection came back."""

MAX_WAIT_S: Final = 3.0
"""Longer than this no handshake waits: SDKs give up after five."""

MIN_WAIT_S: Final = 0.001
"""Less is no wait: a timer costs more."""

ADDRESSES: Final = 10_000
"""Addresses remembered; the one that was quiet for longest is forgotten first."""


class ConnectRefused(Exception):
    """Not now. `status` and `code` are the answer's; `retry_after_s` is a hint that spreads those who are refused."""

    def __init__(self, status: int, code: str, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s


class Admission:
    """Arrivals of one process. Times are seconds of one monotonic clock; a rate or cap of 0 is none."""

    def __init__(
        self,
        *,
        rate_per_s: float,
        address_rate_per_s: float,
        unauthenticated_per_address: int,
        exempt: Container[str],
        jitter: Callable[[], float],
    ) -> None:
        self._interval = 1 / rate_per_s if rate_per_s else 0.0
        self._address_interval = 1 / address_rate_per_s if address_rate_per_s else 0.0
        self._cap = unauthenticated_per_address
        self._exempt = exempt
        """Addresses of our own proxies, behind which there is anybody."""
        self._jitter = jitter
        self._next = float("-inf")
        """When the next arrival would be exactly on time at the full rate (virtual scheduling)."""
        self._next_of: OrderedDict[str, float] = OrderedDict()

    def ask(self, address: str, unauthenticated: int, now: float) -> float:
        """Admit one arrival. Returns how long it must wait first. Raises ConnectRefused.

        `unauthenticated`: connections of this address (IPv6: of its /64) that have not sent a good `connect` yet.
        """
        limited = bool(address) and address not in self._exempt
        if limited and self._cap and unauthenticated >= self._cap:
            detail = "Too many connections of this address have not authenticated."
            raise ConnectRefused(429, "unauthenticated_per_address", detail, self._hint(MAX_WAIT_S))
        caller = caller_network(address)
        due_of = max(self._next_of.get(caller, now), now) if limited and self._address_interval else now
        if due_of - now > ADDRESS_BURST_S:
            detail = "This address connects too often."
            raise ConnectRefused(429, "connect_rate_per_address", detail, self._hint(due_of - now - ADDRESS_BURST_S))
        due = max(self._next, now)
        wait = max(due - now - BURST_S, 0.0)
        if wait < MIN_WAIT_S:
            wait = 0.0
        elif wait > MAX_WAIT_S:
            raise ConnectRefused(503, "connect_rate", "Too many clients connect now.", self._hint(wait))
        self._next = due + self._interval
        if limited and self._address_interval:
            self._remember(caller, due_of + self._address_interval)
        return wait

    def _remember(self, caller: str, due: float) -> None:
        self._next_of[caller] = due
        self._next_of.move_to_end(caller)
        if len(self._next_of) > ADDRESSES:
            self._next_of.popitem(last=False)

    def _hint(self, wait_s: float) -> int:
        """Whole seconds, up to twice as long, so that those who heed it do not come back together."""
        return max(1, math.ceil(wait_s * (1 + self._jitter())))
