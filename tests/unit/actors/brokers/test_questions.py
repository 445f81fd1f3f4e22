"""History and presence, asked of a shard."""

import pytest

from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import simulate


def test_history_pages_both_ways():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            for n in range(1, 11):
                position = await process.publish("big:a", n)

            async def page(**options):
                reply = await process.brokers.history(HistoryRequest("big:a", **options))
                assert reply.position == position
                return [p.offset for p in reply.publications]

            def since(offset):
                return StreamPosition(position.epoch, offset)

            assert await page(limit=0) == []
            assert await page(limit=-1) == list(range(1, 11))
            assert await page(limit=3) == [1, 2, 3]
            assert await page(limit=3, since=since(3)) == [4, 5, 6]
            assert await page(limit=3, reverse=True) == [10, 9, 8]
            assert await page(limit=3, since=since(8), reverse=True) == [7, 6, 5]
            assert await page(limit=3, since=since(2), reverse=True) == [1]
            with pytest.raises(BrokerError, match="112"):
                await page(limit=3, since=StreamPosition("other", 3))
            await process.brokers.history_remove("big:a")
            assert await page(limit=-1) == []
            assert (await process.publish("big:a", 11)).offset == 11

    simulate(main())


@pytest.mark.parametrize(
    ("action", "code"),
    [
        (lambda p: p.publish("nowhere:a", 1), 102),
        (lambda p: p.subscribe("nowhere:a"), 102),
        (lambda p: p.brokers.history(HistoryRequest("nowhere:a")), 102),
        (lambda p: p.brokers.history(HistoryRequest("plain")), 108),
        (lambda p: p.brokers.history_remove("plain"), 108),
        (lambda p: p.brokers.presence("big:a"), 108),
        (lambda p: p.brokers.presence("nowhere:a"), 102),
        (lambda p: p.publish("", 1), 107),
    ],
)
def test_what_a_namespace_does_not_offer_is_refused(action, code):
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            with pytest.raises(BrokerError) as refusal:
                await action(process)
            assert refusal.value.code == code

    simulate(main())
