import asyncio
from collections.abc import Callable, Iterator

from serve_app.realtime.turns import WAITING, WAITING_BYTES, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def steps(log: list[str], name: str, count: int, clock: Clock, cost: float) -> Iterator[None]:
    for number in range(count):
        log.append(f"{name}{number}")
        clock.now += cost
        yield


def at_once(call: Callable[[], None]) -> Iterator[None]:
    call()
    yield


def test_work_that_fits_is_done_at_once() -> None:
    log: list[str] = []
    clock = Clock()
    turns = Turns(budget_s=1.0, clock=clock)
    turns.run(steps(log, "a", 3, clock, 0.1))
    turns.run(at_once(lambda: log.append("b")))
    assert log == ["a0", "a1", "a2", "b"]
    assert turns.waiting == 0


def test_what_is_too_long_pauses_and_everything_newer_queues_behind_it() -> None:
    log: list[str] = []
    clock = Clock()
    turns = Turns(budget_s=1.0, clock=clock)
    turns.run(steps(log, "a", 5, clock, 0.6))
    turns.run(at_once(lambda: log.append("b")))
    assert "b" not in log
    assert turns.waiting == 2
    while turns.waiting:
        turns.drain()
    assert log == ["a0", "a1", "a2", "a3", "a4", "b"]


def test_the_budget_is_for_the_turn_and_not_for_each_piece() -> None:
    log: list[str] = []
    clock = Clock()
    turns = Turns(budget_s=1.0, clock=clock)
    for name in "abc":
        turns.run(steps(log, name, 1, clock, 0.6))
    assert log == ["a0", "b0"]
    turns.drain()
    assert log == ["a0", "b0", "c0"]


def test_failing_work_does_not_stop_what_follows() -> None:
    log: list[str] = []

    def fail() -> None:
        raise RuntimeError

    turns = Turns(budget_s=60.0)  # formatting the traceback takes its time
    turns.run(at_once(fail))
    turns.run(at_once(lambda: log.append("next")))
    assert log == ["next"]


async def test_the_loop_has_its_turn_in_between() -> None:
    log: list[str] = []
    clock = Clock()
    turns = Turns(budget_s=1.0, clock=clock)
    turns.start(asyncio.get_running_loop())
    turns.run(steps(log, "a", 6, clock, 1.0))
    asyncio.get_running_loop().call_soon(log.append, "loop")
    for _ in range(10):
        await asyncio.sleep(0)
    assert log.index("loop") < log.index("a5")
    assert turns.waiting == 0


def test_it_is_full_with_many_pieces_or_large_ones_until_they_are_done() -> None:
    clock = Clock()
    turns = Turns(budget_s=1.0, clock=clock)
    for sizes in ([1] * WAITING, [1, WAITING_BYTES // 2, WAITING_BYTES // 2]):
        for size in sizes:
            assert not turns.is_full
            turns.run(steps([], "a", 1, clock, 1.0), size)
        turns.run(steps([], "b", 1, clock, 1.0), 1)
        assert turns.is_full
        while turns.waiting:
            turns.drain()
        assert (turns.is_full, turns._bytes) == (False, 0)
        clock.now += 1.0
        turns._end_turn()
