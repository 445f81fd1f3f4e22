"""What a client delivers, repairs and tells, against a scripted stream."""

import pytest

from actors.brokers.contract import ClientInfo
from actors.brokers.items import EpochChanged, Gap, Published, Resumed, TakenAway
from actors.brokers.operations import Repair, Unsubscribe
from actors.brokers.wire import Pub
from tests.fixtures.brokers import CHANNEL, published, scripted


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
