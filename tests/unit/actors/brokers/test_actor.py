"""A shard and its clients, memory channels: resets, leases, restarts."""

import asyncio

from actors.brokers.contract import HistoryRequest
from actors.links.stream import LEASE_S
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate


def test_a_dead_hubs_connections_leave_when_its_lease_ends():
    async def main():
        async with MemoryWorld() as world:
            dying, watcher = await world.process("dying"), await world.process("watcher")
            await watcher.subscribe("room:a", "w")
            await dying.subscribe("room:a", "c")
            await dying.brokers.stop()
            await passes(LEASE_S + 12)
            assert watcher.sink.of("leave") == [("leave", "room:a", "c")]
            assert set(await watcher.brokers.presence("room:a")) == {"w"}
            assert await watcher.brokers.channels() == {"room:a": 1}

    simulate(main())


def test_a_hub_that_comes_back_within_its_lease_makes_nobody_leave_or_join():
    async def main():
        async with MemoryWorld() as world:
            hub, watcher = await world.process("hub"), await world.process("watcher")
            await watcher.subscribe("room:a", "w")
            await hub.subscribe("room:a", "c")
            await passes(1)
            before = list(watcher.sink.heard)
            link = hub.brokers._views[0].link
            link._detach(link.incarnation)
            link._reader.cancel()
            link._reader = asyncio.create_task(link._read())
            await passes(5)
            assert world.shard.streams.clients["hub"].session == 2
            assert watcher.sink.heard == before
            assert set(await watcher.brokers.presence("room:a")) == {"w", "c"}
            await watcher.publish("room:a", "x")
            await passes(1)
            assert hub.sink.of("pub") == [("pub", "room:a", "x", 1)]

    simulate(main())


def test_who_left_while_the_hub_was_away_is_told_to_have_left():
    async def main():
        async with MemoryWorld() as world:
            hub, watcher = await world.process("hub"), await world.process("watcher")
            await watcher.subscribe("room:a", "w")
            gone = await hub.subscribe("room:a", "gone")
            await hub.subscribe("room:a", "stays")
            other = await hub.subscribe("room:b", "gone")
            await watcher.subscribe("room:b", "w")
            await passes(1)
            link = hub.brokers._views[0].link
            link._detach(link.incarnation)
            hub.unsubscribe("room:a", gone.subscription)
            hub.unsubscribe("room:b", other.subscription)
            link._reader.cancel()
            link._reader = asyncio.create_task(link._read())
            await passes(5)
            assert sorted(watcher.sink.of("leave")) == [("leave", "room:a", "gone"), ("leave", "room:b", "gone")]

    simulate(main())


def test_after_a_restart_a_memory_channel_begins_a_new_epoch_and_says_so():
    async def main():
        async with MemoryWorld() as world:
            hub, publisher = await world.process("hub"), await world.process("publisher")
            await hub.subscribe("room:a")
            before = await publisher.publish("room:a", 1)
            await passes(1)
            await world.restart()
            await passes(5)
            assert hub.sink.of("insufficient") == [("insufficient", "room:a")]
            after = await publisher.publish("room:a", 2)
            assert (after.offset, after.epoch == before.epoch) == (1, False)
            await passes(1)
            assert hub.sink.of("pub")[-1] == ("pub", "room:a", "2", 1)
            late = await hub.subscribe("room:a", "late", since=before)
            assert not late.recovered
            assert set(await publisher.brokers.presence("room:a")) == {"c", "late"}

    simulate(main())


def test_requests_are_answered_in_time_when_the_shard_does_not_answer():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            world.network.fault = lambda method: "lost request"
            before = asyncio.get_running_loop().time()
            results = await asyncio.gather(
                process.publish("big:a", 1),
                process.subscribe("big:a"),
                process.brokers.history(HistoryRequest("big:a")),
                return_exceptions=True,
            )
            assert [result.code for result in results] == [100, 100, 100]
            assert asyncio.get_running_loop().time() - before < 5.0

    simulate(main())


def test_an_operation_that_fails_does_not_take_its_batch_along():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            broken = world.shard._handlers
            real = next(iter(broken.values()))

            def fail_on_two(stream, op):
                if op.data == b"2":
                    raise RuntimeError("a bug")
                real(stream, op)

            broken[next(iter(broken))] = fail_on_two
            results = await asyncio.gather(*(process.publish("big:a", n) for n in (1, 2, 3)), return_exceptions=True)
            assert [getattr(r, "offset", None) for r in results] == [1, None, 2]
            assert results[1].code == 100

    simulate(main())
