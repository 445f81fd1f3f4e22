"""Buckets move while hubs are behind and transactions publish; with a database: the integration tests."""

import asyncio
import itertools

import pytest

from tests.fixtures.moves import Moves
from tests.fixtures.simulation import passes, simulate

CHANNELS = [f"big:{number}" for number in range(60)]


class Load:
    """One process publishes into every channel until it is told to stop."""

    def __init__(self, process):
        self._stop = False
        self._tasks = [asyncio.create_task(self._work(process, channel)) for channel in CHANNELS]

    async def _work(self, process, channel):
        for number in itertools.count():
            if self._stop:
                return
            await process.publish(channel, f"{number}" * 200)
            await passes(0.005)

    async def end(self):
        self._stop = True
        await asyncio.gather(*self._tasks)


async def deaf_channels(moves, hub, publisher):
    hub.sink.heard.clear()
    for channel in CHANNELS:
        await publisher.publish(channel, "now")
    await passes(1)
    return set(CHANNELS) - {entry[1] for entry in hub.sink.of("pub")}


@pytest.mark.parametrize("delay_s", [0.001, 0.01, 0.02])
def test_hubs_that_are_behind_lose_no_channel_of_a_shard_that_is_removed(delay_s):
    async def main():
        async with Moves(delay_s) as moves:
            hub, publisher = await moves.process("hub"), await moves.process("publisher")
            for channel in CHANNELS:
                await hub.subscribe(channel)
            await moves.resize(2)
            await passes(2)
            load = Load(publisher)
            await passes(0.5)
            await moves.resize(1)
            await load.end()
            assert await deaf_channels(moves, hub, publisher) == set()
            assert hub.sink.of("insufficient") == []

    simulate(main())
