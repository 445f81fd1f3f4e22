import asyncio
from collections.abc import Collection

from cluster.ray_runtime.generations import Generation
from serve_app.edge.retirement import Retirement
from tests.fixtures.waiting import eventually


class Sockets:
    def __init__(self, behind: dict[str, int]) -> None:
        self.counts = behind
        self.parted: list[tuple[set[str], float]] = []
        self.may_end = asyncio.Event()

    def behind(self, generations: Collection[str]) -> int:
        return sum(self.counts.get(name, 0) for name in generations)

    async def part(self, generations: Collection[str], window_s: float) -> None:
        self.parted.append((set(generations), window_s))
        await self.may_end.wait()
        for name in generations:
            self.counts.pop(name, None)


async def test_whoever_is_told_of_is_emptied_once_however_often_it_is_said() -> None:
    sockets = Sockets({"a-1": 3, "a-2": 5, "b-1": 7})
    retirement = Retirement(sockets, spread_s=9.0)
    retirement.empty(["a-1", "c-1"])
    retirement.empty(["a-1", "c-1", "a-2"])
    await eventually(lambda: len(sockets.parted) == 2)
    assert sockets.parted == [({"a-1", "c-1"}, 9.0), ({"a-2"}, 9.0)]
    sockets.may_end.set()
    await eventually(lambda: sockets.counts == {"b-1": 7})
    retirement.empty(["a-1", "a-2"])
    assert sockets.behind(["b-1"]) == 7
    await retirement.stop()
    assert len(sockets.parted) == 2


async def test_what_a_closing_left_is_emptied_when_it_is_said_again() -> None:
    sockets = Sockets({"a-1": 3})
    sockets.may_end.set()
    retirement = Retirement(sockets)
    retirement.empty(["a-1"])
    await eventually(lambda: not sockets.counts)
    sockets.counts["a-1"] = 1
    retirement.empty(["a-1"])
    await eventually(lambda: not sockets.counts)
    await retirement.stop()


async def test_generations_without_sockets_here_are_nothing_to_do() -> None:
    sockets = Sockets({"a-1": 3})
    retirement = Retirement(sockets)
    retirement.empty(["b-1", "c-1"])
    retirement.empty([])
    await retirement.stop()
    assert sockets.parted == []


async def test_stopping_leaves_what_is_still_open() -> None:
    sockets = Sockets({"a-1": 3})
    retirement = Retirement(sockets)
    retirement.empty(["a-1"])
    await eventually(lambda: sockets.parted)
    await retirement.stop()
    assert sockets.counts == {"a-1": 3}


def test_old_sockets_are_those_behind_any_but_the_one_that_listens() -> None:
    retirement = Retirement(Sockets({"a-1": 3, "a-2": 5, "a-3": 7, "b-1": 9}))
    assert retirement.old([Generation(pid, float(pid), "a") for pid in (1, 2, 3)]) == 8
    assert retirement.old([]) == 0
