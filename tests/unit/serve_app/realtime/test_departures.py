"""Virtual time: the pace is what is asserted, and nobody waits for it."""

import asyncio
from typing import cast

from serve_app.realtime.departures import close_gradually
from serve_app.realtime.peer import Peer
from tests.fixtures.simulation import simulate


def departures(count: int, window_s: float) -> list[float]:
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        peers = cast("list[Peer]", list(range(count)))
        closed: list[Peer] = []

        def close(peer: Peer) -> None:
            closed.append(peer)
            times.append(loop.time() - began)

        await close_gradually(peers, close, window_s)
        assert sorted(closed) == peers  # type: ignore[type-var]
        assert count < 50 or closed != peers, "in the order of arrival"

    simulate(main())
    return times


def test_many_leave_a_few_at_a_time_over_the_whole_window() -> None:
    times = departures(10_000, 25.0)
    assert times[-1] <= 25.0
    assert times[-1] > 24.0
    for second in range(25):
        share = sum(second <= time < second + 1 for time in times)
        assert 300 <= share <= 500, (second, share)


def test_few_are_spread_too() -> None:
    times = departures(5, 10.0)
    assert [round(time) for time in times] == [0, 2, 4, 6, 8]


def test_nobody_and_no_time() -> None:
    assert departures(0, 10.0) == []
    assert departures(7, 0.0) == [0.0] * 7
