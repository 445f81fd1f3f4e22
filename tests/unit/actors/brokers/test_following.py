"""What a client delivers, repairs and tells, against a scripted stream."""

import pytest

from actors.brokers.contract import ClientInfo
from actors.brokers.following import AGAIN_FIRST_S, AGAIN_LIMIT_S
from actors.brokers.items import EpochChanged, Gap, Published, Resumed, TakenAway
from actors.brokers.operations import Compare, Repair, Resume, Unsubscribe
from actors.brokers.wire import Pub
from actors.protocol.namespaces import Namespaces
from db.streams.errors import Ambiguous
from tests.fixtures.brokers import (
    CHANNEL,
    NAMESPACES,
    MemoryWorld,
    NoDatabase,
    memory_shard,
    published,
    scripted,
)
from tests.fixtures.simulation import passes, simulate

REFUSED = Resumed(CHANNEL, "", 0, ok=False, pubs=[])


def test_contiguous_publications_are_delivered_in_runs():
    async def test(script):
        await script.subscribed()
        batches = []
        script.sink.on_publications = lambda channel, pubs: batches.append([p.offset for p in pubs])
        await script.down(published(1), published(2), published(3))
        assert batches == [[1, 2, 3]]

    scripted(test)


def test_what_was_seen_is_not_delivered_again():
    async def test(script):
        await script.subscribed(offset=5)
        await script.down(published(4), published(5), published(6), published(6))
        assert [entry[3] for entry in script.sink.of("pub")] == [6]

    scripted(test)


@pytest.mark.parametrize("cause", [Gap(CHANNEL), published(9), published(5, epoch="new")])
def test_a_break_is_repaired_once_and_nothing_is_delivered_until_then(cause):
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(cause, Gap(CHANNEL), published(10))
        assert script.up == [Repair(CHANNEL, "e", 4)]
        assert script.sink.of("pub") == []
        pubs = [Pub(str(n).encode(), n, "e") for n in range(5, 11)]
        await script.down(Resumed(CHANNEL, "e", 10, ok=True, pubs=pubs), published(11))
        assert [entry[3] for entry in script.sink.of("pub")] == [5, 6, 7, 8, 9, 10, 11]
        assert script.sink.of("insufficient") == []

    scripted(test)


def test_a_break_beyond_repair_is_told_once_and_the_stream_goes_on_from_there():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Gap(CHANNEL), Resumed(CHANNEL, "new", 2, ok=False, pubs=[]), published(3, "new"))
        assert script.sink.heard == [("insufficient", CHANNEL), ("pub", CHANNEL, "3", 3)]

    scripted(test)


def test_a_channel_without_history_has_nothing_to_repair():
    async def test(script):
        await script.subscribed(epoch="", offset=0)
        await script.down(Gap(CHANNEL), Published(CHANNEL, Pub(b"x")))
        assert script.up == []
        assert len(script.sink.of("pub")) == 1

    scripted(test)


def test_a_new_epoch_and_a_server_unsubscribe_reach_the_sink():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(EpochChanged(CHANNEL, "new", 0), published(1, "new"), TakenAway(CHANNEL, "c", 2000, "r"))
        assert script.sink.heard == [
            ("insufficient", CHANNEL),
            ("pub", CHANNEL, "1", 1),
            ("unsubscribed", CHANNEL, "c", 2000),
        ]

    scripted(test)


def test_channels_that_are_not_held_any_more_are_not_delivered():
    async def test(script):
        await script.subscribed()
        script.brokers.unsubscribe(CHANNEL, 1, ClientInfo("u", "c"), last=True)
        await script.down(published(1), Gap(CHANNEL), Resumed(CHANNEL, "e", 1, ok=True, pubs=[Pub(b"1", 1, "e")]))
        assert script.sink.heard == []
        assert script.up == [Unsubscribe(CHANNEL, 1)]

    scripted(test)


def test_what_has_no_offset_is_delivered_while_a_break_is_repaired():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Gap(CHANNEL), Published(CHANNEL, Pub(b"x")), published(5))
        assert [entry[2] for entry in script.sink.of("pub")] == ["x"]

    scripted(test)


def test_a_refused_resume_is_sent_again_less_and_less_often_until_it_is_taken():
    async def test(script):
        await script.subscribed(epoch="", offset=0)
        script.brokers._views[0].following.resume()
        for number in range(20):
            await passes(0.1)
            assert [type(op) for op in script.up if type(op) is not Compare] == [Resume], number
            script.up.clear()
            await script.down(REFUSED)
            if number == 0:
                await passes(AGAIN_FIRST_S + 0.5)
            else:
                await passes(AGAIN_LIMIT_S + 0.5)
        await script.down(Resumed(CHANNEL, "", 0, ok=True, pubs=[]))
        script.up.clear()
        await passes(2 * AGAIN_LIMIT_S)
        assert not [op for op in script.up if type(op) is Resume]
        assert script.sink.heard == [], "nobody here has a position to lose"

    scripted(test)


def test_who_subscribes_in_between_does_not_hide_that_the_others_are_not_registered():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Gap(CHANNEL), REFUSED)
        script.up.clear()
        await script.subscribed(subscription=2, offset=7)
        await passes(AGAIN_FIRST_S + 0.5)
        (resume,) = script.up
        assert (resume.epoch, resume.offset) == ("e", 7)
        assert [subscriber.subscription for subscriber in resume.subscribers] == [1, 2]

    scripted(test)


class _SlowTakeOver(NoDatabase):
    async def connect(self):
        await passes(4.0)
        raise Ambiguous("no database")


def test_a_shard_whose_take_over_takes_longer_than_operations_wait_is_heard_of_again():
    async def main():
        async with MemoryWorld() as world:
            process, other = await world.process(), await world.process("other")
            await process.subscribe("plain", presence=False)
            old = world.shard
            world.network.shard = world.shard = memory_shard(store=_SlowTakeOver())
            await world.shard.start()
            await old.stop()
            await passes(15)
            await other.publish("plain", 1)
            await passes(1)
            assert [p.data for p in process.sink.publications] == [b"1"]
            await process.brokers.stop()
            await other.brokers.stop()

    simulate(main())


def test_a_channel_that_gets_a_history_loses_nothing():
    async def main():
        async with MemoryWorld() as world:
            process, other = await world.process(), await world.process("other")
            await process.subscribe("plain", presence=False)
            with_history = NAMESPACES.replace("default: {}", "default: {history_size: 10, history_ttl: 60s}")
            world.shard.use(Namespaces.parse(with_history))
            for number in (1, 2, 3):
                await other.publish("plain", number)
            await passes(1)
            assert [(p.data, p.offset) for p in process.sink.publications] == [(b"1", 1), (b"2", 2), (b"3", 3)]
            await process.brokers.stop()
            await other.brokers.stop()

    simulate(main())
