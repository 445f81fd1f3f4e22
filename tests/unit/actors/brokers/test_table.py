"""Channels that come, wait for the database, and go."""

import asyncio

import pytest

from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.brokers.operations import Publish
from actors.brokers.table import WAIT_LIMIT_S
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES, MemoryWorld
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


def changed(old, new):
    assert old in NAMESPACES
    return Namespaces.parse(NAMESPACES.replace(old, new))


ROOM = "  room:\n    presence: true\n    join_leave: true\n    history_size: 5\n    history_ttl: 60s\n"
LEDGER = (
    "  ledger:\n    durable: true\n    presence: true\n    join_leave: true\n    history_size: 5\n    history_ttl: 1h\n"
)
RECOVERY = "    history_meta_ttl: 120s\n    allow_recovery: true\n"


def test_new_rules_hold_for_channels_that_exist():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("room:a")
            for n in range(5):
                await process.publish("room:a", n)
            world.shard.use(changed(ROOM, ROOM.replace("size: 5", "size: 2") + "    publication_max_bytes: 3\n"))
            with pytest.raises(BrokerError):
                await process.publish("room:a", "long")
            assert (await process.publish("room:a", 5)).offset == 6
            read = await process.brokers.history(HistoryRequest("room:a", limit=-1))
            assert [entry.offset for entry in read.publications] == [5, 6]
            await passes(1)
            assert len(process.sink.of("pub")) == 6
            assert process.sink.of("insufficient") == []

    simulate(main())


def test_a_stream_that_becomes_another_kind_begins_anew_with_those_who_are_there():
    async def main():
        async with MemoryWorld() as world:
            process, watcher = await world.process("one"), await world.process("two")
            before = await process.publish("room:a", 1)
            await process.subscribe("room:a", "c")
            await watcher.subscribe("room:a", "w")
            world.shard.use(changed(ROOM + RECOVERY, "  room:\n    presence: true\n"))
            await passes(1)
            assert process.sink.of("insufficient") == [], "there is nothing that a client could recover"
            assert set(await watcher.brokers.presence("room:a")) == {"c", "w"}
            assert (await process.publish("room:a", 2)).offset == 0
            await passes(1)
            assert process.sink.of("pub")[-1] == ("pub", "room:a", "2", 0)
            world.shard.use(Namespaces.parse(NAMESPACES))
            after = await process.publish("room:a", 3)
            assert after.offset == 1
            assert after.epoch != before.epoch

    simulate(main())


def test_the_channels_of_a_removed_namespace_end():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("room:a")
            await process.subscribe("big:a")
            world.shard.use(Namespaces.parse("namespaces: {big: {history_size: 1000, history_ttl: 1h}}"))
            await passes(1)
            assert process.sink.of("unsubscribed") == [("unsubscribed", "room:a", "", 2000)]
            with pytest.raises(BrokerError) as refused:
                await process.publish("room:a", 1)
            assert refused.value.code == 102
            assert (await process.publish("big:a", 1)).offset == 1

    simulate(main())


def test_a_channel_that_becomes_durable_waits_for_its_head():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.publish("room:a", 1)
            world.shard.use(changed(ROOM, ROOM + "    durable: true\n"))
            with pytest.raises(BrokerError) as refused:
                await process.publish("room:a", 2)
            assert refused.value.code == 100, "there is no database here"

    simulate(main())


def test_a_channel_that_only_the_relay_uses_is_in_use():
    async def main():
        async with MemoryWorld() as world:
            table = world.shard.table
            epoch = table.get("room:a").epoch
            for _ in range(5):
                op = Publish(0, "room:a", b"x", "id")
                world.shard.publishing.publish_memory(table.get("room:a"), op)
                await passes(100)
            channel = table.get("room:a")
            assert (channel.epoch, channel.top) == (epoch, 5)

    simulate(main())


def test_what_waits_for_a_channel_that_took_another_ones_place_is_answered_in_time():
    async def main():
        async with MemoryWorld() as world:
            table, process = world.shard.table, await world.process()
            asking = asyncio.create_task(process.publish("ledger:a", 1))
            await passes(0.1)
            before = table.find("ledger:a")
            assert before.waiting
            world.shard.use(
                changed(
                    LEDGER,
                    "  ledger:\n    subscription_type: map\n    map:\n      mode: persistent\n      stream_size: 5\n",
                )
            )
            successor = table.find("ledger:a")
            assert successor is not before
            assert successor.waiting
            table.loaded(before)
            await passes(WAIT_LIMIT_S + 2)
            assert not successor.waiting
            with pytest.raises(BrokerError):
                await asking

    simulate(main())


def test_a_channel_that_gave_way_while_the_rules_changed_stays_forgotten():
    async def main():
        async with MemoryWorld() as world:
            table, process = world.shard.table, await world.process()
            table.room.bound(1000, 1)
            asking = asyncio.create_task(process.publish("ledger:a", 1))
            await passes(0.1)
            await process.publish("big:a", 1)
            table.room.memory.bytes += 1 << 20
            rules = NAMESPACES.replace(LEDGER, LEDGER.replace("    durable: true\n", ""))
            world.shard.use(
                Namespaces.parse(rules.replace("    history_size: 1000\n    history_ttl: 1h\n", "    {}\n"))
            )
            table.room.memory.bytes -= 1 << 20
            assert (await asking).offset == 1, "what waited was carried out, and took the other one's room"
            assert table.find("big:a") is None

    simulate(main())
