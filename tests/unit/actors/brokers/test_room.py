"""A shard's memory is bounded, whatever its users subscribe to; who comes back is told the truth."""

import asyncio
import random

import pytest

from actors.brokers.contract import BrokerError, StreamPosition
from actors.brokers.room import SETTLED_S
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate


def table_of(world):
    return world.shard.table


def test_names_that_are_only_tried_leave_nothing():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            for n in range(500):
                reply = await process.subscribe(f"room:{n}", f"c{n}")
                process.unsubscribe(f"room:{n}", reply.subscription)
            await passes(0.1)
            assert table_of(world).channels == {}

    simulate(main())


def test_who_comes_back_to_an_empty_channel_recovers_what_came_meanwhile():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            first = await process.subscribe("room:a")
            process.unsubscribe("room:a", first.subscription)
            await passes(1)
            assert table_of(world).find("room:a") is None
            await process.publish("room:a", "meanwhile")
            again = await process.subscribe("room:a", since=first.position)
            assert again.recovered
            assert [publication.data for publication in again.publications] == [b"meanwhile"]

    simulate(main())


def test_beyond_the_most_the_longest_unused_are_forgotten_and_say_so():
    async def main():
        async with MemoryWorld() as world:
            table_of(world).room.bound(10, 1)
            process = await world.process()
            positions = [await process.publish(f"room:{n}", n) for n in range(10)]
            await process.publish("room:0", "used again")
            await process.subscribe("room:1", "stays")
            for n in range(10, 14):
                await process.publish(f"room:{n}", n)
            assert set(table_of(world).channels) == {f"room:{n}" for n in (0, 1, 6, 7, 8, 9, 10, 11, 12, 13)}
            gone = await process.subscribe("room:2", since=positions[2])
            assert (gone.recovered, gone.position.epoch != positions[2].epoch) == (False, True)
            kept = await process.subscribe("room:9", since=StreamPosition(positions[9].epoch, 0))
            assert kept.recovered

    simulate(main())


def test_when_all_channels_have_subscribers_one_more_is_told_to_come_later():
    async def main():
        async with MemoryWorld() as world:
            table_of(world).room.bound(5, 1)
            process = await world.process()
            replies = [await process.subscribe(f"room:{n}", f"c{n}") for n in range(5)]
            for ask in (process.subscribe("room:5"), process.publish("room:6", 1)):
                with pytest.raises(BrokerError) as refused:
                    await ask
                assert refused.value.code == 111
            assert (await process.publish("room:4", 1)).offset == 1
            process.unsubscribe("room:4", replies[4].subscription)
            await process.subscribe("room:5")
            assert set(table_of(world).channels) == {f"room:{n}" for n in (0, 1, 2, 3, 5)}

    simulate(main())


def test_what_only_a_dead_process_held_gives_room_at_once():
    async def main():
        async with MemoryWorld() as world:
            table = table_of(world)
            table.room.bound(5, 1)
            dies, lives = await world.process("dies"), await world.process("lives")
            for n in range(5):
                await dies.publish(f"room:{n}", 1)
                await dies.subscribe(f"room:{n}", f"c{n}")
                # Looked at while it was in use.
                table.room._resting.pop(f"room:{n}", None)
            await lives.subscribe("room:4", "stays")
            world.shard.registry.expire("dies")
            for n in range(5, 9):
                table.get(f"room:{n}")
            assert set(table.channels) == {f"room:{n}" for n in range(4, 9)}

    simulate(main())


def test_histories_give_way_to_what_is_published_and_nobody_misses_it_live():
    async def main():
        async with MemoryWorld() as world:
            room = table_of(world).room
            room.bound(1000, 1)
            process = await world.process()
            names = [f"big:{n}" for n in range(4)]
            for name in names:
                await process.subscribe(name, presence=False)
            for n in range(40):
                await process.publish(f"big:idle{n}", "x" * 20_000)
            for n in range(100):
                for name in names:
                    await process.publish(name, f"{n}".ljust(5_000))
                assert room.memory.bytes < (1 << 20) + 6_000
            await passes(1)
            assert [n for n in table_of(world).channels if "idle" in n] == []
            for name in names:
                heard = [entry[3] for entry in process.sink.of("pub") if entry[1] == name]
                assert heard == list(range(1, 101))
            assert process.sink.of("insufficient") == []

    simulate(main())


def test_a_key_for_which_there_is_no_room_is_refused():
    async def main():
        async with MemoryWorld() as world:
            room = table_of(world).room
            room.bound(1000, 1)
            process = await world.process()
            await process.step("board:a", 2)
            await process.change("board:a", "k", 1)
            room.memory.bytes += 1 << 20
            for ask in (process.change("board:a", "new", 1), process.publish("big:a", 1, idempotency_key="i")):
                with pytest.raises(BrokerError) as refused:
                    await ask
                assert refused.value.code == 111
            await process.change("board:a", "k")
            room.memory.bytes -= 1 << 20
            await process.change("board:a", "new", 1)
            assert await process.keys("board:a") == {"new": "1"}

    simulate(main())


def test_a_durable_channel_in_use_a_moment_ago_is_not_forgotten_and_one_that_waits_neither():
    async def main():
        async with MemoryWorld() as world:
            table = table_of(world)
            table.room.bound(2, 1)
            process = await world.process()
            waiting = asyncio.create_task(process.subscribe("ledger:b"))
            await passes(0.1)
            used = table.get("ledger:a")
            used.epoch, used.loaded = "e", True
            with pytest.raises(BrokerError):
                await process.publish("room:a", 1)
            with pytest.raises(BrokerError):
                await waiting
            await passes(SETTLED_S)
            await process.publish("room:a", 1)
            await process.publish("room:b", 1)
            assert set(table.channels) == {"room:a", "room:b"}

    simulate(main())


def test_what_is_tried_while_the_database_is_away_does_not_stay():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            trying = [process.subscribe(f"ledger:{n}", f"c{n}") for n in range(50)]
            await asyncio.gather(*trying, return_exceptions=True)
            await passes(70)
            assert table_of(world).channels == {}
            assert world.shard.committer._loading == {}

    simulate(main())


@pytest.mark.parametrize("seed", range(10))
def test_an_epoch_never_comes_again_with_a_smaller_offset(seed):
    dice = random.Random(seed)

    async def main():
        async with MemoryWorld() as world:
            table = table_of(world)
            table.room.bound(4, 1)
            process = await world.process()
            names = [f"{kind}:{n}" for kind in ("room", "big", "cursors") for n in range(3)]
            seen: dict[tuple[str, str], int] = {}
            for _ in range(200):
                name, action = dice.choice(names), dice.random()
                if name.startswith("cursors"):
                    await (
                        process.change(name, "k", dice.random()) if action < 0.8 else process.brokers.map_clear(name)
                    )
                elif action < 0.6:
                    await process.publish(name, 1)
                elif action < 0.8:
                    reply = await process.subscribe(name, presence=False)
                    process.unsubscribe(name, reply.subscription)
                elif action < 0.9:
                    await passes(dice.choice([1, 200]))
                else:
                    table.left([dice.randrange(1024)])
                for channel in table.channels.values():
                    key = (channel.name, channel.epoch)
                    assert channel.top >= seen.get(key, 0)
                    seen[key] = channel.top

    simulate(main())
