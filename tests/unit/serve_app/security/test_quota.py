"""Quotas in one process."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from serve_app.security.quota import LEASE_S, RETRY_VALKEY_S, LocalQuota, Policy, QuotaKeeper
from tests.fakes.clock import ManualClock

FIVE = Policy("test", 5, 10)


def test_a_burst_then_an_even_rate():
    clock = ManualClock()
    quota = LocalQuota(clock.monotonic)
    taken = [quota.take(FIVE, "ada") for _ in range(6)]
    assert [decision.allowed for decision in taken] == [True] * 5 + [False]
    assert [decision.remaining for decision in taken] == [4, 3, 2, 1, 0, 0]
    assert taken[-1].retry_after_s == pytest.approx(2.0)
    assert quota.take(FIVE, "bob").allowed
    clock.advance(2.0)
    assert quota.take(FIVE, "ada").allowed
    assert not quota.take(FIVE, "ada").allowed
    clock.advance(100.0)
    assert quota.take(FIVE, "ada").remaining == 4


def test_what_is_given_back_may_be_taken_again():
    quota = LocalQuota(ManualClock().monotonic)
    for _ in range(20):
        assert quota.take(FIVE, "ada").allowed
        quota.give_back(FIVE, "ada")
        quota.give_back(FIVE, "nobody")
    assert quota.take(FIVE, "ada").remaining == 4


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serve_app.security.quota.REMEMBERED_CALLERS", 10)
    quota = LocalQuota(ManualClock().monotonic)
    for number in range(100):
        quota.take(FIVE, str(number))
    assert len(quota._arrivals) == 10


async def test_without_valkey_it_counts_alone():
    keeper = QuotaKeeper(None, clock=ManualClock().monotonic)
    assert [(await keeper.take(FIVE, "ada")).allowed for _ in range(6)] == [True] * 5 + [False]


async def test_no_quota_is_no_limit():
    keeper = QuotaKeeper(None)
    assert (await keeper.take(Policy("off", 0), "ada")).allowed


class Script:
    """Valkey's answers, in order; remembers the costs it was asked for."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.costs = list(answers), []

    def register_script(self, _source: str) -> "Script":
        return self

    async def __call__(self, *, keys: list[str], args: list[int]) -> Any:
        self.costs.append(args[2])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def keeper_with(script: Script, clock: ManualClock) -> QuotaKeeper:
    return QuotaKeeper(script, clock=clock.monotonic)  # type: ignore[arg-type]


async def test_large_quotas_are_leased():
    clock, script = ManualClock(), Script([1, 594, 0, 600], [1, 588, 0, 1200])
    keeper = keeper_with(script, clock)
    policy = Policy("default", 600)
    remaining = [(await keeper.take(policy, "ada")).remaining for _ in range(6)]
    assert remaining == [599, 598, 597, 596, 595, 594]
    assert script.costs == [6], "one question for six requests"
    await keeper.take(policy, "ada")
    assert script.costs == [6, 6]


class Counting(Script):
    """Valkey with one caller, whose time does not pass."""

    charged = 0

    async def __call__(self, *, keys: list[str], args: list[int]) -> Any:
        self.costs.append(args[2])
        await asyncio.sleep(0)
        quota, _, cost = args
        if self.charged + cost > quota:
            return [0, quota - self.charged, 1000, 1000]
        self.charged += cost
        return [1, quota - self.charged, 0, 1000]


@pytest.mark.parametrize(("quota", "asked", "charged"), [(600, 120, 120), (600, 601, 600), (5, 7, 5)])
async def test_parallel_requests_use_up_no_more_than_their_number(quota: int, asked: int, charged: int):
    script = Counting()
    keeper, policy = keeper_with(script, ManualClock()), Policy("default", quota)
    decisions = await asyncio.gather(*(keeper.take(policy, "ada") for _ in range(asked)))
    assert sum(decision.allowed for decision in decisions) == min(asked, quota)
    assert script.charged == charged
    assert len(keeper._turns) == 0


async def test_who_has_nothing_left_asks_no_more_until_there_is_something():
    clock, script = ManualClock(), Script([0, 0, 100, 60_000], [0, 0, 100, 60_000], [1, 0, 0, 60_000])
    keeper, policy = keeper_with(script, clock), Policy("default", 600)
    waits = []
    for _ in range(3):
        waits.append((await keeper.take(policy, "ada")).retry_after_s)
        clock.advance(0.03)
    assert waits == pytest.approx([0.1, 0.07, 0.04])
    assert script.costs == [6, 1]
    clock.advance(0.02)
    assert (await keeper.take(policy, "ada")).allowed


async def test_parallel_requests_wait_only_once_for_a_valkey_that_is_gone():
    script = Script(RedisConnectionError())
    keeper = keeper_with(script, ManualClock())
    decisions = await asyncio.gather(*(keeper.take(FIVE, "ada") for _ in range(6)))
    assert [decision.allowed for decision in decisions] == [True] * 5 + [False]
    assert len(script.costs) == 1


async def test_a_lease_ends():
    clock, script = ManualClock(), Script([1, 594, 0, 600], [1, 594, 0, 600])
    keeper = keeper_with(script, clock)
    await keeper.take(Policy("default", 600), "ada")
    clock.advance(LEASE_S)
    await keeper.take(Policy("default", 600), "ada")
    assert script.costs == [6, 6]


async def test_the_last_few_are_given_one_by_one():
    script = Script([0, 2, 400, 59_000], [1, 1, 0, 59_100], [0, 0, 100, 60_000], [0, 0, 100, 60_000])
    keeper = keeper_with(script, ManualClock())
    policy = Policy("default", 600)
    assert (await keeper.take(policy, "ada")).allowed
    refused = await keeper.take(policy, "ada")
    assert (refused.allowed, refused.retry_after_s) == (False, 0.1)
    assert script.costs == [6, 1, 6, 1]


async def test_valkey_gone_means_alone_for_a_while():
    clock, script = ManualClock(), Script(RedisConnectionError(), [1, 4, 0, 2000])
    keeper = keeper_with(script, clock)
    assert (await keeper.take(FIVE, "ada")).allowed
    assert (await keeper.take(FIVE, "ada")).remaining == 3
    assert len(script.costs) == 1, "not asked again at once"
    clock.advance(RETRY_VALKEY_S)
    assert (await keeper.take(FIVE, "ada")).remaining == 4
    assert len(script.costs) == 2
