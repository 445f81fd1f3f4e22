"""What is sent of the ends of attempts, and when."""

import asyncio
from uuid import uuid4

import pytest

from actors.agents import ends
from actors.agents.ends import AGAIN_S, Ends
from actors.jobs.contract import Outcome, Token


class Clock:
    now = 10.0

    def __call__(self) -> float:
        return self.now


def outcome(result: object = None) -> Outcome:
    return Outcome(token=Token(uuid4(), uuid4(), 1), state="succeeded", result=result)


async def test_they_stay_until_they_are_written_and_the_oldest_go_first() -> None:
    kept = Ends(Clock())
    made = [outcome() for _ in range(3)]
    for one in made:
        kept.add(one)
    assert kept.batch() == kept.batch() == made
    kept.drop([made[0].token, Token(uuid4(), uuid4(), 1)])
    assert list(kept) == [one.token for one in made[1:]]
    assert made[0].token not in kept
    assert len(kept) == 2


async def test_what_could_not_be_written_waits_and_the_others_do_not() -> None:
    clock = Clock()
    kept = Ends(clock)
    held, other = outcome(), outcome()
    kept.add(held)
    kept.put_off([held.token, other.token])
    assert kept.batch() == []
    assert held.token in kept, "it is still the agent's"
    kept.add(other)
    await asyncio.wait_for(kept.wait(), 1)
    assert kept.batch() == [other]
    clock.now += AGAIN_S
    assert kept.batch() == [held, other]
    kept.put_off([held.token])
    kept.hurry()
    assert kept.batch() == [held, other]


async def test_waiting_ends_with_the_first_and_when_it_is_time_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "AGAIN_S", 0.05)
    kept = Ends()
    waiting = asyncio.create_task(kept.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    one = outcome()
    kept.add(one)
    await asyncio.wait_for(waiting, 1)
    kept.put_off([one.token])
    assert kept.batch() == []
    await asyncio.wait_for(kept.wait(), 1)
    assert kept.batch() == [one]


async def test_one_call_is_bounded_by_number_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "FINISH_BATCH", 3)
    monkeypatch.setattr(ends, "FINISH_BYTES", 1_000)
    kept = Ends(Clock())
    large = outcome("x" * 2_000)
    kept.add(large)
    for _ in range(4):
        kept.add(outcome())
    assert kept.batch() == [large], "alone, however large: it must go some time"
    kept.drop([large.token])
    assert len(kept.batch()) == 3


async def test_what_cannot_be_sent_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "OUTCOME_BYTES", 1_000)
    kept = Ends(Clock())
    for result in ("x" * 2_000, object()):
        kept.add(outcome(result))
    assert [one.state for one in kept.batch()] == ["refused", "refused"]
    assert "1000 are allowed" in kept.batch()[0].error
