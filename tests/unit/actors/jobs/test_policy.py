"""What follows from the end of an attempt."""

from uuid import uuid4

import pytest

from actors.jobs.contract import Kind, Outcome, OutcomeState, Token
from actors.jobs.policy import (
    DEATH_DELAY_S,
    MAX_ERROR_CHARACTERS,
    ORPHANED_LIMIT,
    UNAVAILABLE_DELAY_S,
    UNAVAILABLE_LIMIT,
    Attempt,
    backoff_s,
    decide,
)
from db.jobs.store import Finish, Release

KIND = Kind("k", "m:f", backoff_s=2.0, backoff_limit_s=60.0, max_attempts=3)


def end(
    state: OutcomeState, attempt: int = 1, *, kind: Kind = KIND, retry_in_s: float | None = None, spared: int = 0
) -> Finish | Release:
    lease = Attempt(uuid4(), uuid4(), 9, attempt, kind.max_attempts, spared=spared)
    token = Token(lease.id, lease.owner, lease.number)
    outcome = Outcome(token=token, state=state, error="boom" * 2000, result={"x": 1}, retry_in_s=retry_in_s)
    decision = decide(outcome, lease, kind, 0.5)
    assert (decision.id, decision.owner, decision.number) == (lease.id, lease.owner, lease.number)
    return decision


def test_success_ends_with_its_result() -> None:
    decision = end("succeeded")
    assert isinstance(decision, Finish)
    assert (decision.state, decision.result, decision.kept, decision.error) == ("succeeded", {"x": 1}, True, None)


def test_success_of_a_frequent_kind_is_not_kept_but_its_failure_is() -> None:
    kind = Kind("k", "m:f", kept=False, max_attempts=1)
    done, failed = end("succeeded", kind=kind), end("failed", kind=kind)
    assert isinstance(done, Finish)
    assert isinstance(failed, Finish)
    assert (done.kept, failed.kept) == (False, True)


def test_failures_are_tried_again_until_the_last_attempt() -> None:
    first, last = end("failed", 1), end("failed", 3)
    assert isinstance(first, Release)
    assert first.delay_s == pytest.approx(2.0)
    assert first.counted
    assert isinstance(last, Finish)
    assert last.state == "failed"
    assert last.error is not None
    assert len(str(last.error["error"])) == MAX_ERROR_CHARACTERS


def test_a_death_is_tried_again_at_once_but_not_for_ever() -> None:
    first, last = end("died", 1), end("died", 3)
    assert isinstance(first, Release)
    assert first.delay_s == DEATH_DELAY_S
    assert isinstance(last, Finish)


def test_an_outage_is_waited_for_longer_and_longer_and_not_counted() -> None:
    waits = [end("unavailable", 3, spared=spared, retry_in_s=1.0) for spared in range(UNAVAILABLE_LIMIT)]
    assert all(isinstance(wait, Release) and wait.spared and not wait.counted for wait in waits)
    delays = [wait.delay_s for wait in waits if isinstance(wait, Release)]
    assert delays[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert set(delays[7:]) == {UNAVAILABLE_DELAY_S}
    assert [wait.error is None for wait in waits[:3]] == [False, True, True]
    longer = end("unavailable", retry_in_s=90.0)
    assert isinstance(longer, Release)
    assert longer.delay_s == 90.0


def test_an_outage_without_end_counts_at_last() -> None:
    again, last = (end("unavailable", attempt, spared=UNAVAILABLE_LIMIT, retry_in_s=1.0) for attempt in (1, 3))
    assert isinstance(again, Release)
    assert (again.counted, again.spared, again.delay_s) == (True, False, 2.0)
    assert isinstance(last, Finish)


def test_the_end_of_its_agent_is_not_counted_a_few_times() -> None:
    for spared in range(ORPHANED_LIMIT):
        spare = end("orphaned", 3, spared=spared)
        assert isinstance(spare, Release)
        assert (spare.counted, spare.spared, spare.delay_s) == (False, True, DEATH_DELAY_S)
    counted = end("orphaned", 1, spared=ORPHANED_LIMIT)
    assert isinstance(counted, Release)
    assert (counted.counted, counted.delay_s) == (True, DEATH_DELAY_S)
    assert isinstance(end("orphaned", 3, spared=ORPHANED_LIMIT), Finish)


def test_a_refusal_is_final() -> None:
    decision = end("refused", 1)
    assert isinstance(decision, Finish)
    assert decision.state == "failed"


@pytest.mark.parametrize(("state", "retry_in_s", "delay_s"), [("snoozed", 30.0, 30.0), ("returned", None, 0.0)])
def test_what_did_not_really_run_is_not_counted(state: OutcomeState, retry_in_s: float | None, delay_s: float) -> None:
    decision = end(state, 3, retry_in_s=retry_in_s)
    assert isinstance(decision, Release)
    assert (decision.counted, decision.delay_s) == (False, delay_s)


def test_backoff_doubles_is_bounded_and_spread() -> None:
    assert [backoff_s(KIND, attempt, 0.5) for attempt in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 16.0]
    assert backoff_s(KIND, 500, 0.5) == 60.0
    assert backoff_s(KIND, 1, 0.0) < 2.0 < backoff_s(KIND, 1, 1.0)
