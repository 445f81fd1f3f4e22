import asyncio

import pytest

from serve_app.realtime.timers import UNSCHEDULED, TimerWheel


class Item:
    def __init__(self) -> None:
        self.slot = UNSCHEDULED


@pytest.fixture
def fired() -> list[Item]:
    return []


@pytest.fixture
def wheel(fired: list[Item]) -> TimerWheel[Item]:
    return TimerWheel(fired.append, tick_s=1.0)


def test_an_item_fires_once_in_the_tick_after_its_deadline(wheel: TimerWheel[Item], fired: list[Item]) -> None:
    item = Item()
    wheel.schedule(item, 5.5)
    wheel.advance(5.9)
    assert fired == []
    wheel.advance(6.0)
    wheel.advance(100.0)
    assert fired == [item]
    assert item.slot == UNSCHEDULED


def test_the_earliest_deadline_counts(wheel: TimerWheel[Item], fired: list[Item]) -> None:
    item = Item()
    wheel.schedule(item, 9.0)
    wheel.schedule(item, 20.0)
    wheel.schedule(item, 2.0)
    wheel.advance(3.0)
    assert fired == [item]
    wheel.advance(50.0)
    assert fired == [item], "the entries that were left behind are ignored"


def test_a_deadline_in_the_past_fires_at_the_next_look_and_never_does_not(
    wheel: TimerWheel[Item], fired: list[Item]
) -> None:
    wheel.advance(100.0)
    late, never = Item(), Item()
    wheel.schedule(late, 1.0)
    wheel.schedule(never, float("inf"))
    wheel.advance(101.0)
    assert fired == [late]
    assert never.slot == UNSCHEDULED


def test_an_item_may_schedule_itself_again_while_it_fires(fired: list[Item]) -> None:
    item = Item()

    def again(due: Item) -> None:
        fired.append(due)
        if len(fired) < 3:
            wheel.schedule(due, 0.0)

    wheel = TimerWheel(again, tick_s=1.0)
    wheel.schedule(item, 0.0)
    for now in range(1, 6):
        wheel.advance(float(now))
    assert fired == [item] * 3


def test_an_item_that_fails_costs_the_others_nothing(fired: list[Item]) -> None:
    bad = Item()

    def due(item: Item) -> None:
        if item is bad:
            raise RuntimeError
        fired.append(item)

    wheel: TimerWheel[Item] = TimerWheel(due, tick_s=1.0)
    good, later = Item(), Item()
    for item in (bad, good):
        wheel.schedule(item, 0.5)
    wheel.schedule(later, 2.5)
    wheel.advance(5.0)
    assert fired == [good, later]
    for item in (bad, good):
        wheel.schedule(item, 6.0)
    wheel.advance(8.0)
    assert fired == [good, later, good]


async def test_it_turns_on_the_loop_until_it_is_stopped() -> None:
    done = asyncio.Event()
    wheel: TimerWheel[Item] = TimerWheel(lambda item: done.set(), tick_s=0.001)
    wheel.start(asyncio.get_running_loop())
    wheel.schedule(Item(), asyncio.get_running_loop().time() + 0.005)
    await asyncio.wait_for(done.wait(), 5)
    wheel.stop()
    wheel.stop()
