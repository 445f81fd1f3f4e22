"""Single flight: who loads a key, who waits for it, and which loads count (DESIGN §5, 13)."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from actors.caches.wire import Lease, Value, encode
from actors.links.stream import ClientStream

LOAD_LIMIT_S: Final = 10.0
"""A lease ends after this, so that a loader that hangs or died makes nobody else wait for ever."""


@dataclass(slots=True)
class Flight:
    """One key that is being found. `token` 0: still looked up in the shared tier."""

    token: int = 0
    deadline: float = 0.0
    owner: ClientStream | None = None
    waiters: deque[tuple[ClientStream, int]] = field(default_factory=deque)


class Flights:
    """All keys in the air. An invalidation voids what was begun before it: the load may have read the old row."""

    def __init__(self, is_alive: Callable[[ClientStream], bool]) -> None:
        self._flights: dict[str, Flight] = {}
        self._is_alive = is_alive
        self._tokens = itertools.count(1)

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: str, stream: ClientStream, request: int) -> bool:
        """Wait for a key. True when nobody looks for it yet: the caller begins, with `lease` or by looking it up."""
        flight = self._flights.get(key)
        if flight is not None:
            flight.waiters.append((stream, request))
            return False
        self._flights[key] = flight = Flight()
        flight.waiters.append((stream, request))
        return True

    def find(self, key: str) -> Flight | None:
        """The key's flight: still the same object only as long as nothing voided it."""
        return self._flights.get(key)

    def lease(self, key: str, now: float) -> None:
        """Let the first living waiter load; forget the key when nobody waits any more."""
        flight = self._flights[key]
        while flight.waiters:
            stream, request = flight.waiters.popleft()
            if self._is_alive(stream):
                flight.token, flight.owner, flight.deadline = next(self._tokens), stream, now + LOAD_LIMIT_S
                stream.push(encode(Lease(request, flight.token, key)))
                return
        del self._flights[key]

    def land(self, key: str, token: int) -> Flight | None:
        """End the flight that this token was given for. None when the token is void."""
        flight = self._flights.get(key)
        if flight is None or flight.token != token:
            return None
        return self._flights.pop(key)

    def fail(self, key: str, token: int, now: float) -> None:
        """The lease's holder gives up: the next waiter's turn."""
        flight = self._flights.get(key)
        if flight is not None and flight.token == token:
            self.lease(key, now)

    def void(self, keys: Iterable[str], now: float) -> None:
        """What loads these keys now counts for nothing; who waits for them gets a load that begins now."""
        for key in keys:
            flight = self._flights.pop(key, None)
            if flight is not None and flight.waiters:
                # A new object: a lookup that returns later finds that its flight is gone.
                self._flights[key] = Flight(waiters=flight.waiters)
                self.lease(key, now)

    def void_all(self, now: float) -> None:
        """For a tag: what a running load will be made from is not known before it lands."""
        self.void(list(self._flights), now)

    def expire(self, now: float) -> None:
        """Pass on leases that are over, and those of clients that are gone."""
        for key, flight in list(self._flights.items()):
            if flight.owner is not None and (flight.deadline <= now or not self._is_alive(flight.owner)):
                self.lease(key, now)


def answer(flight: Flight, value: bytes, ttl_ms: int, tags: tuple[str, ...]) -> None:
    """Give the value to everybody who waited."""
    for stream, request in flight.waiters:
        stream.push(encode(Value(request, value, ttl_ms, tags)))
