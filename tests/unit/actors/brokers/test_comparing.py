"""The periodic comparison of positions: what nobody would notice otherwise."""

import pytest

from actors.brokers.comparing import CHANNELS_PER_OPERATION, PERIOD_S
from actors.brokers.contract import ClientInfo
from actors.brokers.items import Behind, Gap
from actors.brokers.operations import Compare, Repair, Resume
from actors.brokers.wire import Subscriber
from tests.fixtures.brokers import CHANNEL, MemoryWorld, published, scripted
from tests.fixtures.simulation import passes, simulate

TWO_ROUNDS_S = 2 * PERIOD_S + 1
"""The round that runs has begun before; by then the next one is over too."""


def test_every_channel_is_compared_once_per_period_in_few_operations():
    async def test(script):
        for number in range(3 * CHANNELS_PER_OPERATION):
            script.brokers._views[0].following.hold(f"room:{number}", _subscriber(number), "e", number)
        await passes(TWO_ROUNDS_S)
        script.up.clear()
        await passes(PERIOD_S + 0.5)
        compared = [name for op in script.up for name, _, _ in op.positions]
        assert len(set(compared)) == 3 * CHANNELS_PER_OPERATION
        assert len(compared) < 3.1 * CHANNELS_PER_OPERATION
        assert all(type(op) is Compare for op in script.up)
        assert len(script.up) <= PERIOD_S / 0.25 + 4

    scripted(test)


def _subscriber(number):
    return Subscriber(number, ClientInfo("u", f"c{number}"), False, False)


def test_a_shard_that_does_not_answer_is_asked_nothing_and_then_not_everything_at_once():
    async def test(script):
        view = script.brokers._views[0]
        for number in range(10):
            view.following.hold(f"room:{number}", _subscriber(number), "e", number)
        server, script.server = script.server, None
        await passes(PERIOD_S)
        assert not view.answers
        waiting = len(view.link._waiting)
        await passes(3 * PERIOD_S)
        assert len(view.link._waiting) == waiting
        script.server = server
        await passes(2.0)
        assert view.answers
        script.up.clear()
        await passes(PERIOD_S / 2)
        assert 3 <= sum(len(op.positions) for op in script.up) <= 6
        await passes(PERIOD_S / 2)
        assert 8 <= sum(len(op.positions) for op in script.up) <= 11

    scripted(test)


def test_channels_in_repair_are_left_out():
    async def test(script):
        await script.subscribed(subscription=2, offset=4)
        await script.down(Gap(CHANNEL))
        await passes(TWO_ROUNDS_S)
        assert script.up == [Repair(CHANNEL, "e", 4)]

    scripted(test)


def test_of_a_channel_without_history_only_the_registration_is_compared():
    async def test(script):
        await script.subscribed(epoch="", offset=0)
        await passes(TWO_ROUNDS_S)
        assert script.up[0] == Compare([(CHANNEL, "", 0)])
        script.up.clear()
        await script.down(Behind([(CHANNEL, "", 0, False)]))
        assert [type(op) for op in script.up] == [Resume]

    scripted(test)


def test_where_history_began_unheard_it_is_followed_from_its_top():
    async def test(script):
        await script.subscribed(epoch="", offset=0)
        await script.down(Behind([(CHANNEL, "e", 4, True)]), published(5))
        assert script.up == []
        assert [entry[3] for entry in script.sink.of("pub")] == [5]

    scripted(test)


@pytest.mark.parametrize(
    ("answer", "up"),
    [
        ((CHANNEL, "e", 4, True), []),
        ((CHANNEL, "e", 3, True), []),
        ((CHANNEL, "e", 5, True), [Repair(CHANNEL, "e", 4)]),
        ((CHANNEL, "other", 1, True), [Repair(CHANNEL, "e", 4)]),
        (("room:unknown", "e", 5, True), []),
    ],
)
def test_only_what_lies_ahead_is_repaired(answer, up):
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Behind([answer]))
        assert script.up == up

    scripted(test)


def test_what_was_on_its_way_has_arrived_before_the_answer():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(published(5), Behind([(CHANNEL, "e", 5, True)]))
        assert script.up == []

    scripted(test)


def test_a_shard_that_does_not_know_us_is_told_again():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Behind([(CHANNEL, "", 0, False)]))
        (resume,) = script.up
        assert type(resume) is Resume
        assert (resume.epoch, resume.offset, len(resume.subscribers)) == ("e", 4, 1)

    scripted(test)


def test_a_lost_last_publication_arrives_within_the_period():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("room:a")
            await process.publish("room:a", 1)
            channel = world.shard.table.get("room:a")
            hubs, channel.hubs = channel.hubs, {}
            await process.publish("room:a", 2)
            channel.hubs = hubs
            assert [p.data for p in process.sink.publications] == [b"1"]
            await passes(TWO_ROUNDS_S)
            assert [p.data for p in process.sink.publications] == [b"1", b"2"]
            calls = world.network.calls
            await passes(TWO_ROUNDS_S)
            assert world.network.calls - calls < 4 * PERIOD_S, "agreement costs next to nothing"
            channel.hubs = {}
            await process.publish("room:a", 3)
            await passes(TWO_ROUNDS_S)
            assert [p.data for p in process.sink.publications] == [b"1", b"2", b"3"]
            await process.publish("room:a", 4)
            await passes(1)
            assert [p.data for p in process.sink.publications] == [b"1", b"2", b"3", b"4"]
            await process.brokers.stop()

    simulate(main())


def test_a_shard_that_lost_a_process_in_a_channel_without_history_has_it_again_within_the_period():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("chat", presence=False)
            await passes(TWO_ROUNDS_S)
            calls = world.network.calls
            await passes(TWO_ROUNDS_S)
            assert world.network.calls - calls < 4 * PERIOD_S, "agreement costs next to nothing"
            world.shard.table.get("chat").hubs = {}
            await passes(TWO_ROUNDS_S)
            await process.publish("chat", 1)
            assert [p.data for p in process.sink.publications] == [b"1"]
            await process.brokers.stop()

    simulate(main())


def test_a_lost_end_of_a_stream_is_told():
    async def main():
        async with MemoryWorld() as world:
            process = await world.process()
            await process.subscribe("room:a")
            await process.publish("room:a", 1)
            channel = world.shard.table.get("room:a")
            hubs, channel.hubs = channel.hubs, {}
            for number in range(2, 12):
                await process.publish("room:a", number)
            channel.hubs = hubs
            await passes(TWO_ROUNDS_S)
            assert process.sink.heard[-1] == ("insufficient", "room:a")
            await process.brokers.stop()

    simulate(main())
