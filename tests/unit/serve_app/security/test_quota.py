"""Quotas in one process."""

from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from cluster.clock import ManualClock
from serve_app.security.quota import LEASE_S, RETRY_VALKEY_S, LocalQuota, Policy, QuotaKeeper

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
