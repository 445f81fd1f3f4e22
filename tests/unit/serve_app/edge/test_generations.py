from collections.abc import Collection

import pytest

from cluster.ray_runtime.generations import Generation
from serve_app.edge.generations import MAX_AGE_S, MAX_GENERATIONS, Retirement, overdue
from tests.fixtures.waiting import eventually

NOW = 1_000_000.0


def line(*started: float) -> list[Generation]:
    return [Generation(number, start) for number, start in enumerate(started, 1)]


def minutes_ago(*minutes: float) -> list[Generation]:
    return line(*[NOW - minute * 60 for minute in minutes])


def test_up_to_four_processes_are_left_alone() -> None:
    assert overdue([], NOW) == set()
    assert len(minutes_ago(40, 30, 20, 10)) == MAX_GENERATIONS
    assert overdue(minutes_ago(40, 30, 20, 10), NOW) == set()


def test_beyond_four_the_oldest_are_emptied() -> None:
    assert overdue(minutes_ago(60, 50, 40, 30, 20, 10), NOW) == {1, 2}


def test_processes_that_one_deployment_leaves_for_a_moment_do_not_count() -> None:
    assert overdue(minutes_ago(40, 30, 20, 0.7, 0.6, 0.5, 0.4), NOW) == set()
    assert overdue(minutes_ago(40, 30, 20, 10, 2, 0.6, 0.5), NOW) == {1}


def test_age_counts_from_the_successor_and_the_one_that_listens_has_none() -> None:
    month = 30 * 86_400.0
    assert overdue(line(NOW - month), NOW) == set()
    assert overdue(line(NOW - month, NOW - MAX_AGE_S + 60), NOW) == set()
    assert overdue(line(NOW - month, NOW - MAX_AGE_S - 60, NOW - 60), NOW) == {1}


class Sockets:
    def __init__(self, behind: dict[int, int]) -> None:
        self.counts = behind
        self.parted: list[tuple[set[int], float]] = []

    def behind(self, generations: Collection[int]) -> int:
        return sum(self.counts.get(pid, 0) for pid in generations)

    async def part(self, generations: Collection[int], window_s: float) -> None:
        self.parted.append((set(generations), window_s))
        for pid in generations:
            self.counts.pop(pid, None)


async def test_a_look_counts_and_empties_what_is_overdue_once() -> None:
    sockets = Sockets({1: 3, 2: 5, 6: 7})
    living = minutes_ago(60, 50, 40, 30, 20, 10)
    retirement = Retirement(sockets, lambda: living, wall=lambda: NOW, spread_s=9.0)
    await retirement.look()
    assert (retirement.processes, retirement.old_sockets) == (6, 8)
    assert sockets.parted == [({1, 2}, 9.0)]
    await retirement.look()
    assert len(sockets.parted) == 1
    assert retirement.old_sockets == 0


async def test_it_looks_again_and_again_also_when_records_cannot_be_read() -> None:
    looks: list[int] = []

    def living() -> list[Generation]:
        looks.append(1)
        if len(looks) == 1:
            raise PermissionError("records")
        return line(NOW)

    retirement = Retirement(Sockets({}), living, look_s=0.01)
    retirement.start()
    await eventually(lambda: retirement.processes == 1)
    await retirement.stop()
    assert len(looks) >= 2


async def test_stopping_what_never_started_is_harmless() -> None:
    await Retirement(Sockets({}), list).stop()


@pytest.mark.parametrize("count", [0, 1])
async def test_without_old_processes_there_is_nothing_to_do(count: int) -> None:
    sockets = Sockets({1: 4})
    retirement = Retirement(sockets, lambda: line(*[NOW] * count), wall=lambda: NOW)
    await retirement.look()
    assert (retirement.old_sockets, sockets.parted) == (0, [])
