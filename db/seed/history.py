"""Order histories: more on weekdays and in the evening, growing over time, each on its way to the customer."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from db.orders.status import NEXT, OrderStatus

T = TypeVar("T")

WEEKDAYS = (1.0, 0.95, 0.95, 1.0, 1.15, 1.35, 1.3)
"""Monday to Sunday."""

HOURS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 13, 15, 17, 18, 15, 9, 4)

CANCELLED = 0.05
"""Share of orders that are given up."""

QUANTITIES = (1, 1, 1, 1, 1, 2, 2, 3, 4)
LINES = (1, 1, 2, 2, 3, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class InventedStep:
    """A status and when it was reached."""

    previous: OrderStatus | None
    status: OrderStatus
    at: datetime


class Popularity(Sequence[T]):
    """Things of which some are chosen much more often than others (Zipf)."""

    def __init__(self, things: Sequence[T], rng: random.Random, *, exponent: float = 0.7) -> None:
        self._things = list(things)
        rng.shuffle(self._things)
        weights = (1 / (rank**exponent) for rank in range(1, len(self._things) + 1))
        self._cumulative = list(itertools.accumulate(weights))

    def choose(self, rng: random.Random, count: int) -> list[T]:
        """`count` of them, the same one perhaps twice."""
        return rng.choices(self._things, cum_weights=self._cumulative, k=count)

    def __len__(self) -> int:
        return len(self._things)

    def __getitem__(self, index: int) -> T:  # type: ignore[override]
        return self._things[index]


def invent_times(rng: random.Random, count: int, days: int, until: datetime) -> Iterator[datetime]:
    """`count` moments of the last `days` days, the oldest first, the last before `until`."""
    first = (until - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    weights = [WEEKDAYS[(first + timedelta(days=day)).weekday()] * (0.4 + 1.2 * day / days) for day in range(days)]
    total, made, owed = sum(weights), 0, 0.0
    for day, weight in enumerate(weights):
        owed += count * weight / total
        today = (count if day == days - 1 else min(count, round(owed))) - made
        made += today
        midnight = first + timedelta(days=day)
        open_until = min(midnight + timedelta(days=1), until)
        seconds = (hour * 3600 + rng.random() * 3600 for hour in rng.choices(range(24), weights=HOURS, k=today))
        # What would lie after `until` on the last day is folded back into the part of it that has passed.
        length = max((open_until - midnight).total_seconds(), 1.0)
        yield from (midnight + timedelta(seconds=second) for second in sorted(s % length for s in seconds))


def invent_steps(rng: random.Random, placed: datetime, until: datetime) -> list[InventedStep]:
    """What happened to an order placed then, as far as it has come."""
    steps = [InventedStep(None, OrderStatus.PENDING, placed)]
    give_up_at = rng.randint(0, 2) if rng.random() < CANCELLED else None
    at = placed
    for index in itertools.count():
        here = steps[-1].status
        at += timedelta(hours=(0.5, 9, 15, 40)[min(index, 3)] * (0.3 + 1.4 * rng.random()))
        if at >= until:
            return steps
        if index == give_up_at:
            return [*steps, InventedStep(here, OrderStatus.CANCELLED, at)]
        if here not in NEXT:
            return steps
        steps.append(InventedStep(here, NEXT[here], at))
    return steps
