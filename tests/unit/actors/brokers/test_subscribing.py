"""Subscriptions on memory channels: recovery, order, gaps, joins and leaves."""

import asyncio
import copy

import pytest

from actors.brokers.comparing import PERIOD_S
from actors.brokers.contract import BrokerError, ClientInfo, StreamPosition, SubscribeRequest
from actors.brokers.items import Pub
from actors.brokers.wire import encode
from tests.fixtures.brokers import MemoryWorld
from tests.fixtures.simulation import passes, simulate


def test_the_answer_comes_before_any_publication_after_its_position():
    async def main():
        async with MemoryWorld() as world:
            hub, publisher = await world.process("hub"), await world.process("publisher")
            publishing = [asyncio.create_task(publisher.publish("room:a", n)) for n in range(50)]
            reply = await hub.subscribe("room:a", presence=False)
            publishing += [asyncio.create_task(publisher.publish("room:a", n)) for n in range(50)]
            await asyncio.gather(*publishing)
            await passes(1)
            heard = [entry for entry in hub.sink.heard if entry[0] in ("pub", "subscribed")]
            assert heard[0][0] == "subscribed"
            assert [entry[3] for entry in heard[1:]] == list(range(reply.position.offset + 1, 101))

    simulate(main())


def test_recovery_gives_what_was_missed_or_nothing():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            epoch = (await process.publish("room:a", 1)).epoch
            for n in range(2, 9):
                await process.publish("room:a", n)
            # Five are kept: 4 … 8.
            whole = await process.subscribe("room:a", since=StreamPosition(epoch, 3))
            assert whole.recovered
            assert [p.data for p in whole.publications] == [b"4", b"5", b"6", b"7", b"8"]
            assert [p.offset for p in whole.publications] == [4, 5, 6, 7, 8]
            beyond = await process.subscribe("room:a", since=StreamPosition(epoch, 2))
            assert (beyond.recovered, beyond.publications) == (False, [])
            nothing = await process.subscribe("room:a", since=StreamPosition(epoch, 8))
            assert (nothing.recovered, nothing.publications) == (True, [])
            ahead = await process.subscribe("room:a", since=StreamPosition(epoch, 9))
            assert not ahead.recovered
            foreign = await process.subscribe("room:a", since=StreamPosition("other", 3))
            assert not foreign.recovered
            limited = await process.subscribe("room:a", since=StreamPosition(epoch, 4), recovery_limit=3)
            assert not limited.recovered

    simulate(main())


def test_cache_mode_gives_the_latest_unless_the_client_has_it():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            empty = await process.subscribe("room:a", since=StreamPosition("", 0), cache_mode=True)
            assert not empty.recovered
            for n in range(1, 9):
                position = await process.publish("room:a", n)
            fresh = await process.subscribe("room:a", since=StreamPosition("", 0), cache_mode=True)
            assert fresh.recovered
            assert [p.data for p in fresh.publications] == [b"8"]
            same = await process.subscribe("room:a", since=position, cache_mode=True)
            assert (same.recovered, same.publications) == (True, [])

    simulate(main())


def test_presence_joins_and_leaves():
    async def main():
        async with MemoryWorld() as world:
            one, two = await world.process("one"), await world.process("two")
            await one.subscribe("room:a", "c1")
            reply = await two.subscribe("room:a", "c2")
            assert set(await one.brokers.presence("room:a")) == {"c1", "c2"}
            stats = await one.brokers.presence_stats("room:a")
            assert (stats.clients, stats.users) == (2, 2)
            assert await one.brokers.channels() == {"room:a": 2}
            assert await one.brokers.channels("big:*") == {}
            two.unsubscribe("room:a", reply.subscription)
            await passes(1)
            assert set(await one.brokers.presence("room:a")) == {"c1"}
            assert one.sink.of("join") == [("join", "room:a", "c1"), ("join", "room:a", "c2")]
            assert one.sink.of("leave") == [("leave", "room:a", "c2")]
            heard = [entry[0] for entry in one.sink.heard if entry[-1] == "c1"]
            assert heard == ["subscribed", "join"], "the reply comes before one's own join"

    simulate(main())


def test_everybody_without_a_user_counts_as_one_user():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            for number, user in enumerate(("", "", "u")):
                request = SubscribeRequest("room:a", number, ClientInfo(user, f"c{number}"), presence=True)
                process.brokers.subscribe(request, lambda reply: None)
            await passes(1)
            stats = await process.brokers.presence_stats("room:a")
            assert (stats.clients, stats.users) == (3, 2)

    simulate(main())


def test_a_connection_that_subscribes_again_before_its_old_subscription_ends_does_not_leave():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            watcher = await world.process("watcher")
            await watcher.subscribe("room:a", "w")
            old = await process.subscribe("room:a", "c")
            await process.subscribe("room:a", "c")
            process.unsubscribe("room:a", old.subscription)
            await passes(1)
            assert watcher.sink.of("leave") == []
            assert watcher.sink.of("join").count(("join", "room:a", "c")) == 1
            assert "c" in await watcher.brokers.presence("room:a")

    simulate(main())


def test_a_subscription_given_up_before_its_answer_stays_given_up():
    async def main():
        async with MemoryWorld() as world:
            hub = await world.process()
            task = asyncio.create_task(hub.subscribe("room:a", "c"))
            await asyncio.sleep(0)
            hub.unsubscribe("room:a", 1)
            await passes(1)
            assert hub.replies == []
            assert await hub.brokers.channels() == {}
            task.cancel()

    simulate(main())


def test_a_slow_hub_repairs_its_gap_once_and_misses_nothing():
    async def main():
        async with MemoryWorld() as world:
            hub, publisher = await world.process("hub"), await world.process("publisher")
            world.shard.streams.clients["hub"]._limit_bytes = 3_000
            await hub.subscribe("big:a", presence=False)
            await passes(1)
            await asyncio.gather(*(publisher.publish("big:a", str(n) * 40) for n in range(100)))
            await passes(2)
            assert world.shard.streams.clients["hub"].overflows >= 1
            assert [entry[3] for entry in hub.sink.of("pub")] == list(range(1, 101))
            assert hub.sink.of("insufficient") == []

    simulate(main())


def test_a_gap_that_history_does_not_cover_is_told():
    async def main():
        async with MemoryWorld() as world:
            hub, publisher = await world.process("hub"), await world.process("publisher")
            world.shard.streams.clients["hub"]._limit_bytes = 3_000
            await hub.subscribe("room:a", presence=False)
            await passes(1)
            await asyncio.gather(*(publisher.publish("room:a", str(n) * 40) for n in range(100)))
            await passes(2)
            assert hub.sink.of("insufficient") == [("insufficient", "room:a")]
            await publisher.publish("room:a", "after")
            await passes(1)
            assert hub.sink.of("pub")[-1] == ("pub", "room:a", "after", 101)

    simulate(main())


def test_a_full_channel_refuses_one_more():
    async def main():
        async with MemoryWorld() as world:
            one, two = await world.process("one"), await world.process("two")
            await one.subscribe("narrow:a", "c1")
            with pytest.raises(BrokerError) as refused:
                await two.subscribe("narrow:a", "c2")
            assert refused.value.code == 106
            await two.subscribe("narrow:b", "c2")

    simulate(main())


def test_what_waited_through_a_new_session_registers_with_that_session():
    async def main():
        async with MemoryWorld() as world:
            world.shard.ownership.begin()
            hub = await world.process("hub")
            subscribing = asyncio.create_task(hub.subscribe("ledger:y", "c"))
            await passes(0.2)
            world.shard.streams.clients["hub"].lost = True
            hub.unsubscribe("ledger:z", 99)  # something to send, so that the reset is noticed
            await passes(1.2)
            sessions = [stream.session for stream, _, _ in world.shard.table.channels["ledger:y"].waiting]
            assert sessions == [1, 2], "it waits once for each session"
            channel = world.load("ledger:y")
            await subscribing
            assert channel.hubs["hub"].stream is world.shard.streams.clients["hub"]
            channel.accept(1, "e", encode(Pub(b"1", 1, "e")), 0.0)
            await passes(0.5)
            assert [entry[3] for entry in hub.sink.of("pub")] == [1]

    simulate(main())


def test_who_is_registered_with_a_former_session_is_found_by_the_comparison():
    async def main():
        async with MemoryWorld() as world:
            hub, publisher = await world.process("hub"), await world.process("publisher")
            await hub.subscribe("room:a", "c")
            registered = world.shard.table.channels["room:a"].hubs["hub"]
            registered.stream = copy.copy(registered.stream)
            await passes(2 * PERIOD_S + 1)
            assert registered.stream is world.shard.streams.clients["hub"]
            await publisher.publish("room:a", 1)
            await passes(1)
            assert len(hub.sink.of("pub")) == 1

    simulate(main())
