"""Publications on memory channels: order, once, to whom."""

import asyncio

import pytest

from actors.brokers.contract import BrokerError, ClientInfo, StreamPosition
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate


def test_a_publication_reaches_every_hub_that_subscribed_and_no_other():
    async def main():
        async with MemoryWorld() as world:
            one, two, three = [await world.process(name) for name in ("one", "two", "three")]
            await one.subscribe("room:a", "c1")
            await two.subscribe("room:a", "c2")
            await three.subscribe("room:b", "c3")
            position = await three.publish("room:a", "hello")
            await passes(1)
            assert position.offset == 1
            assert one.sink.of("pub") == two.sink.of("pub") == [("pub", "room:a", "hello", 1)]
            assert three.sink.of("pub") == []
            assert one.sink.publications[0].epoch == position.epoch

    simulate(main())


def test_offsets_count_from_one_and_the_answer_carries_the_top():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            offsets = [(await process.publish("room:a", n)).offset for n in range(3)]
            reply = await process.subscribe("room:a")
            assert offsets == [1, 2, 3]
            assert reply.position.offset == 3
            assert not reply.recovered

    simulate(main())


def test_without_history_publications_have_no_offset():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            reply = await process.subscribe("plain", presence=False)
            assert reply.position == StreamPosition("", 0)
            assert await process.publish("plain", "x") == StreamPosition("", 0)
            assert (await process.publish("big:a", "y", skip_history=True)).offset == 0
            await passes(1)
            assert process.sink.of("pub") == [("pub", "plain", "x", 0)]

    simulate(main())


def test_an_idempotency_key_publishes_once_in_five_minutes():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("big:a", presence=False)
            first = await process.publish("big:a", 1, idempotency_key="k")
            again = await process.publish("big:a", 1, idempotency_key="k")
            other = await process.publish("big:b", 1, idempotency_key="k")
            assert first == again
            assert other.epoch != first.epoch
            await passes(301)
            assert (await process.publish("big:a", 1, idempotency_key="k")).offset == 2
            assert len(process.sink.of("pub")) == 2

    simulate(main())


def test_a_conditional_publication_must_be_newer():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            assert (await process.publish("big:a", 1, version=5)).offset == 1
            assert (await process.publish("big:a", 1, version=5)).offset == 1
            assert (await process.publish("big:a", 1, version=4)).offset == 1
            assert (await process.publish("big:a", 1, version=6)).offset == 2
            assert (await process.publish("big:a", 1, version=1, version_epoch="new")).offset == 3

    simulate(main())


def test_a_memory_publication_is_never_sent_to_a_second_incarnation():
    async def main():
        async with MemoryWorld() as world:
            publisher = await world.process("publisher")
            first = world.shard
            world.network.fault = lambda method: "lost reply"
            publishing = asyncio.create_task(publisher.publish("big:a", 1))
            await passes(0.5)
            assert first.table.channels["big:a"].top == 1, "it was made, and the answer was lost"
            world.network.fault = lambda method: ""
            await world.restart()
            with pytest.raises(BrokerError) as refusal:
                await publishing
            assert refusal.value.code == 100
            assert "big:a" not in world.shard.table.channels or world.shard.table.channels["big:a"].top == 0

    simulate(main())


def test_a_publication_that_was_never_sent_goes_to_the_new_incarnation():
    async def main():
        async with MemoryWorld() as world:
            publisher = await world.process("publisher")
            world.network.fault = lambda method: "error"
            blocker = asyncio.create_task(publisher.publish("big:a", 1))
            await passes(0.1)
            waiting = asyncio.create_task(publisher.publish("big:a", 2))
            await passes(0.1)
            await world.restart()
            world.network.fault = lambda method: ""
            assert (await waiting).offset == 1
            with pytest.raises(BrokerError):
                await blocker

    simulate(main())


def test_a_namespace_limits_size_and_rate_of_its_publications():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            with pytest.raises(BrokerError) as refused:
                await process.publish("narrow:a", "x" * 11)
            assert refused.value.code == 106
            client = ClientInfo("u", "c")
            await process.publish("narrow:a", "one", info=client)
            with pytest.raises(BrokerError) as refused:
                await process.publish("narrow:a", "two", info=client)
            assert refused.value.code == 111
            await process.publish("narrow:a", "server")
            await passes(60)
            await process.publish("narrow:a", "three", info=client)

    simulate(main())


def test_nobody_publishes_into_a_shared_poll():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("polled:a", presence=False)
            with pytest.raises(BrokerError) as refused:
                await process.publish("polled:a", "x")
            assert refused.value.code == 108
            await passes(1)
            assert process.sink.of("pub") == []

    simulate(main())
