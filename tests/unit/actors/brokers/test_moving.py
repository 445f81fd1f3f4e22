"""Buckets move while hubs are behind and transactions publish; with a database: the integration tests."""

import asyncio
import itertools

import pytest

from actors.links.placement import bucket_of
from actors.links.stream import LEASE_S
from db.streams.errors import Ambiguous
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
            began = asyncio.get_running_loop().time()
            await moves.resize(1)
            assert asyncio.get_running_loop().time() - began < LEASE_S / 2, "nobody is waited for who has followed"
            await load.end()
            assert await deaf_channels(moves, hub, publisher) == set()
            assert hub.sink.of("insufficient") == []

    simulate(main())


def test_nobody_leaves_because_shards_are_added():
    """Buckets come in groups: a hub that has resumed what came with the first has not heard of the last."""

    async def main():
        async with Moves(0.02) as moves:
            hubs = [await moves.process("one"), await moves.process("two")]
            rooms, maps = [[f"{kind}:{number}" for number in range(60)] for kind in ("room", "cursors")]
            for room in rooms:
                await hubs[0].subscribe(room, "ada")
                await hubs[1].subscribe(room, "bob")
            for cursors in maps:
                await hubs[0].step(cursors, 2, "ada")
                await hubs[0].change(cursors, "ada", "here", ttl_s=1000)
            await passes(1)
            before = [list(hub.sink.heard) for hub in hubs]
            await moves.resize(2)
            await passes(LEASE_S + 1)
            assert [hub.sink.heard for hub in hubs] == before
            for cursors in maps:
                assert await hubs[1].keys(cursors) == {"ada": "here"}
            assert not any(shard.registry._orphans for shard in moves.shards.values())

    simulate(main())


def test_who_does_not_follow_to_another_shard_leaves_after_a_lease():
    async def main():
        async with Moves() as moves:
            hub, dying = await moves.process("hub"), await moves.process("dying")
            await hub.subscribe("room:4", "ada")
            await dying.subscribe("room:4", "bob")
            moves.cut_off.add("dying")
            await moves.resize(2)
            await passes(LEASE_S / 2)
            assert set(await hub.brokers.presence("room:4")) == {"ada", "bob"}
            await passes(LEASE_S)
            assert hub.sink.of("leave") == [("leave", "room:4", "bob")]

    simulate(main())


def test_who_does_not_follow_through_two_moves_is_told_to_have_left():
    async def main():
        async with Moves() as moves:
            hub, dying = await moves.process("hub"), await moves.process("dying")
            await hub.subscribe("room:4", "ada")
            await dying.subscribe("room:4", "bob")
            moves.cut_off.add("dying")
            await moves.resize(2)
            await moves.resize(1)
            await passes(LEASE_S + 1)
            assert hub.sink.of("leave") == [("leave", "room:4", "bob")]
            assert set(await hub.brokers.presence("room:4")) == {"ada"}

    simulate(main())


def test_what_transactions_publish_during_a_move_is_told_once_and_no_epoch_ends():
    async def main():
        async with Moves() as moves:
            hub = await moves.process("hub")
            for channel in CHANNELS:
                await hub.subscribe(channel)
                await hub.publish(channel, "first")
            sent = []
            is_over = False

            async def transact():
                for number in itertools.count():
                    if is_over:
                        return
                    channel = CHANNELS[number % len(CHANNELS)]
                    sent.append((channel, str(number)))
                    moves.rows.outbox.append((number, number, channel, bucket_of(channel), str(number), None, ""))
                    moves.shards[moves.rows.buckets[bucket_of(channel)][1]].committer.poke()
                    await passes(0.001)

            transacting = asyncio.create_task(transact())
            await moves.resize(2)
            is_over = True
            await transacting
            await passes(3)
            assert moves.begun == [0, 1], "no shard was deposed"
            assert hub.sink.of("insufficient") == []
            assert moves.rows.outbox == []
            heard = [(entry[1], entry[2]) for entry in hub.sink.of("pub") if entry[2] != "first"]
            assert sorted(heard) == sorted(sent)

    simulate(main())


def test_a_database_that_comes_back_while_channels_are_carried_over_ends_no_epoch():
    async def main():
        async with Moves() as moves:
            hub = await moves.process("hub")
            for number in range(60):
                await hub.subscribe(f"ledger:{number}")
            for channel in CHANNELS:
                await hub.subscribe(channel)
                await hub.publish(channel, "first")
            moves.land_s = 0.3
            moves.rows.after_move = [None, None, Ambiguous("connection reset")]
            await moves.resize(2)
            await passes(5)
            assert moves.begun == [0, 1], "no shard was deposed"
            assert hub.sink.of("insufficient") == []

    simulate(main())
