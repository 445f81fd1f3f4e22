"""A shard that has begun waits for the hubs that live, and not for ever."""

import asyncio

from actors.brokers.rebuilding import Rebuilding
from db.streams.errors import Ambiguous
from tests.fixtures.brokers import MemoryWorld, NoDatabase, memory_shard
from tests.fixtures.simulation import passes, simulate


class World:
    def __init__(self, *hubs: str, fails: int = 0) -> None:
        self.hubs, self.fails, self.asked = hubs, fails, 0
        self.done = 0
        self.rebuilding = Rebuilding(self.living, self.finish)

    async def living(self):
        self.asked += 1
        if self.asked <= self.fails:
            raise Ambiguous("no database")
        return list(self.hubs)

    def finish(self):
        self.done += 1


def test_without_hubs_there_is_nothing_to_wait_for():
    async def scenario():
        world = World()
        await world.rebuilding.run()
        assert (world.rebuilding.active, world.done) == (False, 1)
        world.rebuilding.synced("late")

    simulate(scenario())


def test_it_ends_with_the_last_hub_and_once():
    async def scenario():
        world = World("h1", "h2")
        world.rebuilding.synced("h1")
        task = asyncio.create_task(world.rebuilding.run())
        await passes(3)
        assert world.rebuilding.active
        world.rebuilding.synced("a publisher, who holds nothing")
        assert world.rebuilding.active
        world.rebuilding.synced("h2")
        assert not world.rebuilding.active
        await task
        await passes(30)
        assert world.done == 1

    simulate(scenario())


def test_a_hub_that_never_comes_is_waited_for_one_lease():
    async def scenario():
        world = World("h1")
        task = asyncio.create_task(world.rebuilding.run())
        await passes(14.9)
        assert world.rebuilding.active
        await passes(0.2)
        assert (world.rebuilding.active, world.done) == (False, 1)
        await task

    simulate(scenario())


def test_without_the_database_it_is_one_lease_and_with_it_less():
    async def scenario():
        away = World(fails=10**6)
        await away.rebuilding.run()
        assert (away.rebuilding.active, away.done) == (False, 1)
        back = World(fails=3)
        await back.rebuilding.run()
        assert (back.asked, back.done) == (4, 1)

    simulate(scenario())


def test_it_goes_on_until_what_is_resumed_is_taken(monkeypatch):
    """The last hub has said everything, but the heads of its durable channels are not read yet."""

    async def main():
        async with MemoryWorld() as world:
            watcher, hub = await world.process("watcher"), await world.process("hub")
            asking = [
                asyncio.create_task(watcher.subscribe("ledger:a", "w")),
                asyncio.create_task(hub.subscribe("ledger:a", "c")),
            ]
            await passes(0.1)
            world.load("ledger:a")
            await asyncio.gather(*asking)
            watcher.sink.heard.clear()
            monkeypatch.setattr(NoDatabase, "hubs", ("watcher", "hub"))
            await world.restart()
            while world.shard.registry.announcer.rebuilding and len(_waiting(world)) < 2:
                await passes(0.1)
            await passes(0.5)
            assert len(_waiting(world)) == 2
            assert world.shard.subscribing.rebuilding.active
            world.load("ledger:a")
            await passes(0.1)
            assert not world.shard.subscribing.rebuilding.active
            assert set(await watcher.brokers.presence("ledger:a")) == {"w", "c"}
            await passes(5)
            assert watcher.sink.of("join") == watcher.sink.of("difference") == []

    simulate(main())


def test_it_ends_without_what_cannot_be_resumed_in_time(monkeypatch):
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process("hub")
            asking = asyncio.create_task(hub.subscribe("ledger:a", "c"))
            await passes(0.1)
            world.load("ledger:a")
            await asking
            monkeypatch.setattr(NoDatabase, "hubs", ("hub",))
            await world.restart()
            while world.shard.registry.announcer.rebuilding and not _waiting(world):
                await passes(0.1)
            await passes(2.5)
            assert world.shard.subscribing.rebuilding.active
            await passes(2)
            assert not world.shard.subscribing.rebuilding.active
            assert hub.sink.of("insufficient") == [("insufficient", "ledger:a")]

    simulate(main())


class _SlowTakeOver(NoDatabase):
    async def connect(self):
        await passes(5.0)
        raise Ambiguous("no database")


def test_nobody_joins_whose_channel_could_not_be_resumed_in_time(monkeypatch):
    async def main():
        async with MemoryWorld() as world:
            watcher, hub = await world.process("watcher"), await world.process("hub")
            await watcher.subscribe("room:a", "w")
            reply = await hub.subscribe("room:a", "c")
            await passes(15)
            watcher.sink.heard.clear()
            monkeypatch.setattr(NoDatabase, "hubs", ("watcher", "hub"))
            old = world.shard
            world.network.shard = world.shard = memory_shard(store=_SlowTakeOver())
            await world.shard.start()
            await old.stop()
            await passes(4.8)
            assert not world.shard.subscribing.rebuilding.active
            assert world.shard.table.find("room:a") is None, "what it brought was refused"
            await passes(15)
            assert set(await watcher.brokers.presence("room:a")) == {"w", "c"}
            hub.unsubscribe("room:a", reply.subscription)
            await passes(5)
            assert [entry for entry in watcher.sink.heard if entry[0] != "insufficient"] == [("leave", "room:a", "c")]
            await hub.subscribe("room:a", "c2")
            await passes(1)
            assert watcher.sink.heard[-1] == ("join", "room:a", "c2")

    simulate(main())


def test_many_channels_that_come_at_once_are_looked_through_once():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process("hub")
            names = [f"ledger:{n}" for n in range(100)]
            asking = [asyncio.create_task(hub.subscribe(name, f"c{name}")) for name in names]
            await passes(0.1)
            for name in names:
                world.load(name)
            await asyncio.gather(*asking)
            await world.restart()
            while len(world.shard.table.channels) < len(names):
                await passes(0.1)
            await passes(0.1)
            subscribing, looked = world.shard.subscribing, []
            resuming = subscribing._resuming
            subscribing._resuming = lambda stream: looked.append(stream) or resuming(stream)
            for name in names[1:]:
                world.load(name)
            await passes(0)
            assert len(looked) == 1
            assert list(subscribing._syncing) == ["hub"]
            world.load(names[0])
            await passes(0)
            assert subscribing._syncing == {}

    simulate(main())


def _waiting(world):
    channel = world.shard.table.find("ledger:a")
    return [] if channel is None else channel.waiting
