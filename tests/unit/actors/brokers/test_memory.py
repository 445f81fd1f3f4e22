"""What is kept is counted, whatever comes, goes and is carried away."""

import asyncio
import random

import pytest

from actors.brokers import carrying
from actors.brokers.contract import BrokerError
from actors.brokers.memory import ENTRY_BYTES, Memory
from actors.brokers.presence import Registry
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES, MemoryWorld
from tests.fixtures.simulation import passes, simulate


def test_it_is_full_when_it_has_as_much_as_it_may():
    memory = Memory()
    memory.take(1 << 40)
    assert not memory.full
    memory.limit = 200
    memory.give(1 << 40)
    memory.take(200 - ENTRY_BYTES - 1)
    assert not memory.full
    memory.bytes += 1
    assert memory.full


def counted(shard):
    """The same from what is there."""
    total = 0
    for channel in shard.table.channels.values():
        total += sum(len(pub) + ENTRY_BYTES for pub in channel.ring.after(0))
        total += sum(len(key) + ENTRY_BYTES for key in channel.keys)
        if channel.map is not None:
            for key, value in channel.map.values.items():
                total += 2 * len(key) + len(value.data) + len(value.pub) + ENTRY_BYTES
        if channel.polled is not None:
            total += channel.polled.bytes + sum(len(key) + ENTRY_BYTES for key in channel.polled.keys)
    return total


@pytest.mark.parametrize("seed", range(5))
def test_the_count_is_what_is_there(seed):
    dice = random.Random(seed)
    other = NAMESPACES.replace("    history_size: 5\n", "    history_size: 2\n", 1).replace("  big:", "  huge:")
    rules = [Namespaces.parse(text) for text in (NAMESPACES, other)]

    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            names = [f"{kind}:{n}" for kind in ("room", "big", "board", "cursors") for n in range(3)]
            for _ in range(300):
                name = dice.choice(names)
                action = dice.random()
                try:
                    if name.startswith(("board", "cursors")):
                        data = None if action < 0.2 else "x" * dice.randrange(30)
                        await process.change(name, f"k{dice.randrange(6)}", data)
                        if action > 0.95:
                            await process.brokers.map_clear(name)
                    elif action < 0.3:
                        await process.publish(name, "x" * dice.randrange(50), idempotency_key=f"i{dice.randrange(9)}")
                    elif action < 0.8:
                        await process.publish(name, "x" * dice.randrange(50))
                    elif action < 0.85:
                        await process.brokers.history_remove(name)
                    else:
                        claimed = await process.brokers.poll_claim("polled:a", {f"p{dice.randrange(9)}": 0})
                        assert claimed is not None
                except BrokerError as refusal:
                    if refusal.code not in (102, 106):
                        raise
                if dice.random() < 0.03:
                    world.shard.use(dice.choice(rules))
                if dice.random() < 0.03:
                    await passes(dice.choice([1, 70, 400]))
                if dice.random() < 0.05 and world.shard.table.channels:
                    world.shard.table.forget(dice.choice(list(world.shard.table.channels.values())))
                if dice.random() < 0.05:
                    carry(world.shard, dice.choice(list(world.shard.table.channels.values())))
                assert world.shard.table.room.memory.bytes == counted(world.shard)
            for channel in list(world.shard.table.channels.values()):
                world.shard.table.forget(channel)
            assert world.shard.table.room.memory.bytes == 0

    simulate(main())


def carry(shard, channel):
    """As if its bucket had gone and come back."""
    now = asyncio.get_running_loop().time()
    table = shard.table
    packed = carrying.pack(channel, shard.registry, now)
    table.forget(channel)
    table.left([channel.bucket])
    registry = Registry(table.find)
    table.add(carrying.unpack(packed, table.namespaces, registry, table.room.memory, now))
