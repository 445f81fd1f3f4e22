"""Invented order histories."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import pytest

from db.orders.status import OrderStatus, reachable
from db.seed.history import Popularity, invent_steps, invent_times

UNTIL = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(("count", "days"), [(1, 1), (7, 30), (5_000, 180)])
def test_times_are_in_order_in_the_past_and_exactly_as_many_as_asked_for(count: int, days: int) -> None:
    times = list(invent_times(random.Random(1), count, days, UNTIL))
    assert len(times) == count
    assert times == sorted(times)
    assert times[-1] < UNTIL
    assert times[0] >= UNTIL - timedelta(days=days)


def test_business_grows_and_evenings_are_busier_than_nights() -> None:
    times = list(invent_times(random.Random(1), 20_000, 200, UNTIL))
    middle = UNTIL - timedelta(days=100)
    assert sum(time > middle for time in times) > 1.3 * sum(time <= middle for time in times)
    full_days = [time for time in times if time < UNTIL.replace(hour=0)]
    assert sum(18 <= time.hour < 22 for time in full_days) > 5 * sum(1 <= time.hour < 5 for time in full_days)


def test_every_history_is_one_that_the_rules_allow() -> None:
    rng = random.Random(1)
    ends = set()
    for number in range(1, 2_000):
        placed = UNTIL - timedelta(minutes=15 * number)
        steps = invent_steps(rng, placed, UNTIL)
        assert (steps[0].previous, steps[0].status, steps[0].at) == (None, OrderStatus.PENDING, placed)
        for before, after in itertools.pairwise(steps):
            assert after.previous is before.status
            assert after.status in reachable(before.status)
            assert before.at < after.at < UNTIL
        ends.add(steps[-1].status)
    assert ends == set(OrderStatus), "fresh orders are on their way, old ones have arrived or were cancelled"


def test_some_things_are_much_more_popular_than_others() -> None:
    rng = random.Random(1)
    chosen = Popularity(range(100), rng).choose(rng, 10_000)
    counts = sorted((chosen.count(thing) for thing in range(100)), reverse=True)
    assert counts[0] > 5 * counts[50]
    assert set(chosen) == set(range(100))
