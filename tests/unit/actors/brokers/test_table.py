"""Channels that come, wait for the database, and go."""

import asyncio

from actors.brokers.contract import HistoryRequest, StreamPosition
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate


def test_history_expires_and_epoch_and_offset_outlive_it():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            first = await process.publish("room:a", 1)
            await passes(61)
            read = await process.brokers.history(HistoryRequest("room:a", limit=-1))
            assert (read.position, list(read.publications)) == (StreamPosition(first.epoch, 1), [])
            assert (await process.publish("room:a", 2)).offset == 2
            await passes(125)
            later = await process.publish("room:a", 3)
            assert later.offset == 1
            assert later.epoch != first.epoch, "the stream was forgotten, so it must not look like the same one"

    simulate(main())


def test_durable_channels_say_in_time_that_the_database_is_away():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            before = asyncio.get_running_loop().time()
            results = await asyncio.gather(
                process.publish("ledger:a", 1), process.subscribe("ledger:a"), return_exceptions=True
            )
            assert [result.code for result in results] == [100, 100]
            assert asyncio.get_running_loop().time() - before < 5.0
            assert (await process.publish("room:a", 1)).offset == 1, "memory channels do not care"

    simulate(main())
