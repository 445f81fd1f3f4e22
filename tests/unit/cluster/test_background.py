"""Work that nobody waits for ends with whom it belongs to."""

import asyncio

from cluster.background import Background
from tests.fixtures.simulation import passes, simulate


def test_what_runs_is_ended_with_its_owner_and_what_is_done_is_forgotten():
    async def main():
        background, seen = Background(), []

        async def work(seconds):
            await passes(seconds)
            seen.append(seconds)

        background.spawn(work(1))
        background.spawn(work(60))
        await passes(2)
        await background.stop()
        await passes(60)
        assert seen == [1]
        await asyncio.gather(background.stop(), background.stop())

    simulate(main())
