"""A shard and its clients, memory channels: order, recovery, presence, resets."""

import asyncio

import pytest

from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.links.stream import LEASE_S
from tests.fixtures.brokers import Network, Process, memory_shard
from tests.fixtures.simulation import passes, simulate


class World:
    def __init__(self, **options):
        self.shard = memory_shard(**options)
        self.network = Network(self.shard)

    async def __aenter__(self):
        await self.shard.start()
        return self

    async def __aexit__(self, *_):
        if self.network.shard is not None:
            await self.network.shard.stop()

    async def process(self, boot="hub"):
        return await Process(self.network, boot).start()

    async def restart(self):
        old, self.network.shard = self.network.shard, None
        await old.stop()
        self.network.shard = self.shard = memory_shard()
        await self.shard.start()


def test_a_publication_reaches_every_hub_that_subscribed_and_no_other():
    async def main():
        async with World() as world:
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
        async with World() as world:
            process = await world.process()
            offsets = [(await process.publish("room:a", n)).offset for n in range(3)]
            reply = await process.subscribe("room:a")
            assert offsets == [1, 2, 3]
            assert reply.position.offset == 3
            assert not reply.recovered

    simulate(main())


def test_the_answer_comes_before_any_publication_after_its_position():
    async def main():
        async with World() as world:
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
        async with World() as world:
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
        async with World() as world:
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


def test_history_expires_and_epoch_and_offset_outlive_it():
    async def main():
        async with World() as world:
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


def test_history_pages_both_ways():
    async def main():
        async with World() as world:
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
        async with World() as world:
            process = await world.process()
            with pytest.raises(BrokerError) as refusal:
                await action(process)
            assert refusal.value.code == code

    simulate(main())


def test_without_history_publications_have_no_offset():
    async def main():
        async with World() as world:
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
        async with World() as world:
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
        async with World() as world:
            process = await world.process()
            assert (await process.publish("big:a", 1, version=5)).offset == 1
            assert (await process.publish("big:a", 1, version=5)).offset == 1
            assert (await process.publish("big:a", 1, version=4)).offset == 1
            assert (await process.publish("big:a", 1, version=6)).offset == 2
            assert (await process.publish("big:a", 1, version=1, version_epoch="new")).offset == 3

    simulate(main())


def test_presence_joins_and_leaves():
    async def main():
        async with World() as world:
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


def test_a_connection_that_subscribes_again_before_its_old_subscription_ends_does_not_leave():
    async def main():
        async with World() as world:
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


def test_a_dead_hubs_connections_leave_when_its_lease_ends():
    async def main():
        async with World() as world:
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
        async with World() as world:
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
        async with World() as world:
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
        async with World() as world:
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


def test_a_memory_publication_is_never_sent_to_a_second_incarnation():
    async def main():
        async with World() as world:
            publisher = await world.process("publisher")
            first = world.shard
            world.network.fault = lambda method: "lost reply"
            publishing = asyncio.create_task(publisher.publish("big:a", 1))
            await passes(0.5)
            assert first.channels["big:a"].top == 1, "it was made, and the answer was lost"
            world.network.fault = lambda method: ""
            await world.restart()
            with pytest.raises(BrokerError) as refusal:
                await publishing
            assert refusal.value.code == 100
            assert "big:a" not in world.shard.channels or world.shard.channels["big:a"].top == 0

    simulate(main())


def test_a_publication_that_was_never_sent_goes_to_the_new_incarnation():
    async def main():
        async with World() as world:
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


def test_requests_are_answered_in_time_when_the_shard_does_not_answer():
    async def main():
        async with World() as world:
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


def test_a_subscription_given_up_before_its_answer_stays_given_up():
    async def main():
        async with World() as world:
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
        async with World() as world:
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
        async with World() as world:
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


def test_durable_channels_say_in_time_that_the_database_is_away():
    async def main():
        async with World() as world:
            process = await world.process()
            before = asyncio.get_running_loop().time()
            results = await asyncio.gather(
                process.publish("ledger:a", 1), process.subscribe("ledger:a"), return_exceptions=True
            )
            assert [result.code for result in results] == [100, 100]
            assert asyncio.get_running_loop().time() - before < 5.0
            assert (await process.publish("room:a", 1)).offset == 1, "memory channels do not care"

    simulate(main())


def test_an_operation_that_fails_does_not_take_its_batch_along():
    async def main():
        async with World() as world:
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
