from collections.abc import Sequence

import pytest

from actors.agents.edge_watch import EdgeWatch
from cluster.ray_runtime.generations import MAX_AGE_S, Generation

NOW = 1_000_000.0


class Hubs:
    def __init__(self) -> None:
        self.told: list[list[str]] = []

    async def retire(self, generations: Sequence[str]) -> None:
        self.told.append(list(generations))


async def test_every_look_says_by_name_which_are_overdue() -> None:
    hubs = Hubs()
    living = [
        Generation(7, NOW - 2 * MAX_AGE_S, "a"),
        Generation(8, NOW - 1.5 * MAX_AGE_S, "a"),
        Generation(9, NOW, "a"),
    ]
    watch = EdgeWatch(lambda: living, hubs.retire, wall=lambda: NOW)
    await watch.look()
    await watch.look()
    assert hubs.told == [["a-7"], ["a-7"]]


@pytest.mark.parametrize("started", [[], [NOW - 3 * MAX_AGE_S], [NOW - 3 * MAX_AGE_S, NOW - 60.0]])
async def test_nobody_is_told_anything_when_none_is_overdue(started: list[float]) -> None:
    hubs = Hubs()
    living = [Generation(pid, at, "a") for pid, at in enumerate(started)]
    await EdgeWatch(lambda: living, hubs.retire, wall=lambda: NOW).look()
    assert hubs.told == []
