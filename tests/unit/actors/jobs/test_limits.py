"""What may start: counted from leases, paced by a clock."""

from uuid import UUID, uuid4

import pytest

from actors.jobs.contract import QueuePolicy, Rate
from actors.jobs.leases import Lease, LeaseBook
from actors.jobs.limits import PRUNE_AT, UNBOUNDED, Limits, Pace


def hold(book: LeaseBook, key: str | None, queue: str = "q") -> UUID:
    lease = Lease(uuid4(), uuid4(), 1, 1, 5, kind="k", queue=queue, seen_at=0.0, key=key)
    book.adopt([lease])
    return lease.id


def test_a_queue_without_a_policy_is_not_bounded() -> None:
    limits = Limits({}, LeaseBook(0.0))
    assert (limits.of_queue("q", 0.0), limits.of_key("q", "k", 0.0)) == (UNBOUNDED, UNBOUNDED)
    limits.started("q", "k", 9, 0.0)
    assert (limits.queue_wait_s("q", 0.0), limits.key_wait_s("q", "k", 0.0)) == (0.0, 0.0)


def test_leases_take_places_and_leave_them() -> None:
    book = LeaseBook(0.0)
    limits = Limits({"q": QueuePolicy(limit=3, limit_per_key=2)}, book)
    first = hold(book, "a")
    hold(book, "a")
    hold(book, "a", queue="other")
    assert limits.of_queue("q", 0.0) == 1
    assert [limits.of_key("q", key, 0.0) for key in ("a", "b", None)] == [0, 2, 2]
    hold(book, None)
    hold(book, None)  # taken over from an owner with another policy
    assert limits.of_queue("q", 0.0) == -1
    assert limits.of_key("q", None, 0.0) == 0
    book.drop(first)
    assert limits.of_key("q", "a", 0.0) == 1


def test_starts_are_spread_and_a_pause_allows_a_burst() -> None:
    pace = Pace(Rate(60, per_s=60.0, burst=3))
    assert pace.available(None, 100.0) == 3
    pace.started(None, 3, 100.0)
    assert (pace.available(None, 100.0), pace.wait_s(None, 100.0)) == (0, 1.0)
    assert pace.available(None, 100.9) == 0
    assert pace.available(None, 101.0) == 1
    pace.started(None, 1, 101.0)
    assert pace.available(None, 101.0) == 0
    assert pace.available(None, 102.5) == 1
    assert pace.available(None, 9_999.0) == 3, "not more than the burst, however long the pause"


@pytest.mark.parametrize("rate", [Rate(7, per_s=1.0), Rate(30), Rate(100, per_s=60.0, burst=10), Rate(1, per_s=3600.0)])
def test_never_more_than_the_rate_and_one_burst_and_never_much_less(rate: Rate) -> None:
    pace, now, started = Pace(rate), 1_000_000.1, 0
    until = now + 20 * rate.per_s
    while now < until:
        count = pace.available(None, now)
        if count:
            pace.started(None, count, now)
            started += count
        assert started <= rate.burst + (now - 1_000_000.1) * rate.starts / rate.per_s + 1e-3
        wait_s = pace.wait_s(None, now)
        assert wait_s > 0
        now += wait_s
    assert started >= 20 * rate.starts


def test_each_key_has_its_own_pace_and_what_is_past_is_forgotten() -> None:
    book = LeaseBook(0.0)
    limits = Limits({"q": QueuePolicy(rate_per_key=Rate(1, per_s=10.0), rate=Rate(5, per_s=10.0, burst=5))}, book)
    limits.started("q", "a", 1, 0.0)
    assert [limits.of_key("q", key, 0.0) for key in ("a", "b", None)] == [0, 1, 1]
    assert (limits.key_wait_s("q", "a", 4.0), limits.key_wait_s("q", "b", 4.0)) == (6.0, 0.0)
    assert limits.of_queue("q", 0.0) == 4
    limits.started("q", "b", 4, 0.0)
    assert limits.queue_wait_s("q", 0.0) == 2.0
    pace = Pace(Rate(1, per_s=10.0))
    for n in range(2 * PRUNE_AT):
        pace.started(str(n), 1, n / 100)
    assert len(pace._due) <= PRUNE_AT
