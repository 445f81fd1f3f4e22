"""Who has given up is not registered afterwards, whatever its attempt was waiting for."""

import asyncio

from actors.brokers.attempts import Attempts
from actors.brokers.contract import ClientInfo, StreamPosition
from actors.brokers.operations import Subscribe
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream
from db.streams.reader import StoredPublication
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate

DURABLE_MAP = "stock:a"
DURABLE = "ledger:a"


def test_an_attempt_stands_until_it_is_given_up_or_over():
    attempts = Attempts()
    stream = ClientStream("hub", 1, lambda channel: b"", 0.0)
    op = Subscribe("a", Subscriber(1, ClientInfo("u", "c"), presence=False, join_leave=False))
    attempt = attempts.begin(stream, op)
    attempts.give_up(stream, "a", 2)
    assert attempts.stands(attempt)
    attempts.give_up(stream, "a", 1)
    assert not attempts.stands(attempt)
    attempts.end(attempts.begin(stream, op))
    assert not attempts.stands(attempt)


def test_what_is_given_up_before_the_head_is_read_is_not_registered():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process()
            plain = asyncio.create_task(hub.subscribe(DURABLE, "c1"))
            stepping = asyncio.create_task(hub.step(DURABLE_MAP, 2, "c2"))
            await passes(0.1)
            hub.unsubscribe(DURABLE, 1)
            hub.unsubscribe(DURABLE_MAP, 2)
            await passes(0.1)
            for name in (DURABLE, DURABLE_MAP):
                channel = world.load(name)
                assert (channel.hubs, channel.presence) == ({}, {})
            plain.cancel()
            stepping.cancel()

    simulate(main())


def test_who_leaves_while_its_process_resumes_a_channel_has_left():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process()
            asking = [asyncio.create_task(hub.subscribe(DURABLE, f"c{n}")) for n in (1, 2)]
            await passes(0.1)
            world.load(DURABLE)
            replies = await asyncio.gather(*asking)
            await world.restart()
            while DURABLE not in world.shard.table.channels:
                await passes(0.1)
            hub.unsubscribe(DURABLE, replies[0].subscription)
            await passes(0.1)
            channel = world.load(DURABLE)
            assert set(channel.presence) == {"c2"}
            assert await hub.brokers.channels() == {DURABLE: 1}

    simulate(main())


def test_what_is_given_up_while_a_map_is_read_from_the_database_is_not_registered():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process()
            asked = asyncio.Event()
            answer = asyncio.get_running_loop().create_future()

            async def after(channel, offset, limit):
                asked.set()
                return await answer

            world.shard.maps._reader.after = after
            stepping = asyncio.create_task(hub.step(DURABLE_MAP, 0, "c", since=StreamPosition("e", 9)))
            await passes(0.1)
            channel = world.load(DURABLE_MAP, top=10)
            await asked.wait()
            hub.unsubscribe(DURABLE_MAP, 1)
            await passes(0.1)
            answer.set_result([StoredPublication(10, b"1", None, 1)])
            await passes(0.1)
            assert channel.hubs == {}
            stepping.cancel()

    simulate(main())


def test_what_is_given_up_with_the_next_operation_is_not_registered():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process()
            world.shard.subscribing._reader.after = _after
            first = asyncio.create_task(hub.subscribe(DURABLE, "c1"))
            stepping = asyncio.create_task(hub.step(DURABLE_MAP, 2, "c2"))
            await passes(0.1)
            plain, board = world.load(DURABLE, top=10), world.load(DURABLE_MAP, top=10)
            await first
            asked = [
                asyncio.create_task(hub.subscribe(DURABLE, "c3", since=StreamPosition("e", 9))),
                asyncio.create_task(hub.step(DURABLE_MAP, 0, "c4", since=StreamPosition("e", 9))),
            ]
            await asyncio.sleep(0)
            hub.unsubscribe(DURABLE, 3)
            hub.unsubscribe(DURABLE_MAP, 4)
            await passes(0.5)
            assert list(plain.hubs["hub"].subscribers) == [1]
            assert all(4 not in held.subscribers for held in board.hubs.values())
            for task in (stepping, *asked):
                task.cancel()

    simulate(main())


async def _after(channel, offset, limit):
    return [StoredPublication(10, b"1", None, 1)]
