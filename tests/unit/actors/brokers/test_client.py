"""The client's own part, against a scripted stream: what it delivers, repairs and refuses."""

import asyncio

import msgspec
import pytest

from actors.brokers import client as module
from actors.brokers.client import Brokers
from actors.brokers.contract import BrokerError, ClientInfo, PublishRequest, SubscribeReply, SubscribeRequest
from actors.brokers.wire import (
    Acknowledged,
    EpochChanged,
    Failed,
    Gap,
    Item,
    Operation,
    Pub,
    Publish,
    Published,
    Repair,
    Resume,
    Resumed,
    Subscribe,
    Subscribed,
    Synced,
    TakenAway,
    Unsubscribe,
    encode,
)
from actors.links.frames import Submit
from actors.links.link import BUFFER_BYTES
from actors.links.stream import StreamServer
from tests.fixtures.brokers import Recorder
from tests.fixtures.simulation import passes, simulate

CHANNEL = "room:a"


class Script:
    """A shard that does nothing by itself: the test says what comes down, and sees what goes up."""

    def __init__(self):
        self.up: list[Operation] = []
        self.sink = Recorder()
        self.begin("inc-1")
        self.brokers = Brokers("hub", self.sink, shards=1, call=self.call)

    def begin(self, incarnation):
        self.server = StreamServer(
            incarnation,
            Submit[Operation],
            apply=lambda stream, ops: self.up.extend(ops),
            encode_gap=lambda channel: encode(Gap(channel)),
        )

    async def call(self, shard, method, payload, timeout_s):
        async with asyncio.timeout(timeout_s):
            return await getattr(self.server, method)(payload)

    async def start(self):
        await self.brokers.start()
        await self.brokers.wait_attached()
        await passes(0.1)
        self.up.clear()
        return self

    async def down(self, *items: Item):
        for item in items:
            self.server.clients["hub"].push(encode(item))
        await passes(0.1)

    async def subscribed(self, subscription=1, epoch="e", offset=0):
        replies = []
        request = SubscribeRequest(CHANNEL, subscription, ClientInfo("u", "c"))
        self.brokers.subscribe(request, replies.append)
        await self.down(Subscribed(CHANNEL, subscription, epoch, offset, False, []))
        self.up.clear()
        return replies


def published(offset, epoch="e"):
    return Published(CHANNEL, Pub(str(offset).encode(), offset, epoch))


def run(test):
    async def main():
        script = await Script().start()
        await test(script)
        await script.brokers.stop()

    simulate(main())


def test_contiguous_publications_are_delivered_in_runs():
    async def test(script):
        await script.subscribed()
        batches = []
        script.sink.on_publications = lambda channel, pubs: batches.append([p.offset for p in pubs])
        await script.down(published(1), published(2), published(3))
        assert batches == [[1, 2, 3]]

    run(test)


def test_what_was_seen_is_not_delivered_again():
    async def test(script):
        await script.subscribed(offset=5)
        await script.down(published(4), published(5), published(6), published(6))
        assert [entry[3] for entry in script.sink.of("pub")] == [6]

    run(test)


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

    run(test)


def test_a_break_beyond_repair_is_told_once_and_the_stream_goes_on_from_there():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(Gap(CHANNEL), Resumed(CHANNEL, "new", 2, ok=False, pubs=[]), published(3, "new"))
        assert script.sink.heard == [("insufficient", CHANNEL), ("pub", CHANNEL, "3", 3)]

    run(test)


def test_a_channel_without_history_has_nothing_to_repair():
    async def test(script):
        await script.subscribed(epoch="", offset=0)
        await script.down(Gap(CHANNEL), Published(CHANNEL, Pub(b"x")))
        assert script.up == []
        assert len(script.sink.of("pub")) == 1

    run(test)


def test_a_new_epoch_and_a_server_unsubscribe_reach_the_sink():
    async def test(script):
        await script.subscribed(offset=4)
        await script.down(EpochChanged(CHANNEL, "new", 0), published(1, "new"), TakenAway(CHANNEL, "c", 2000, "r"))
        assert script.sink.heard == [
            ("insufficient", CHANNEL),
            ("pub", CHANNEL, "1", 1),
            ("unsubscribed", CHANNEL, "c", 2000),
        ]

    run(test)


def test_channels_that_are_not_held_any_more_are_not_delivered():
    async def test(script):
        await script.subscribed()
        script.brokers.unsubscribe(CHANNEL, 1, ClientInfo("u", "c"), last=True)
        await script.down(published(1), Gap(CHANNEL), Resumed(CHANNEL, "e", 1, ok=True, pubs=[Pub(b"1", 1, "e")]))
        assert script.sink.heard == []
        assert script.up == [Unsubscribe(CHANNEL, 1)]

    run(test)


def test_after_a_reset_it_says_what_it_holds_then_asks_again():
    async def test(script):
        await script.subscribed(subscription=1, offset=4)
        pending = SubscribeRequest(CHANNEL, 2, ClientInfo("u", "c2"))
        script.brokers.subscribe(pending, lambda reply: None)
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        script.up.clear()
        old = script.server
        script.begin("inc-2")
        old.close()
        await passes(1)
        assert [type(op) for op in script.up] == [Resume, Synced, Subscribe, Publish]
        resume, _, subscribe, publish = script.up
        assert (resume.epoch, resume.offset, [s.subscription for s in resume.subscribers]) == ("e", 4, [1])
        assert subscribe.subscriber.subscription == 2
        assert publish.resent, "it was sent to the last incarnation"
        await script.down(Acknowledged([(publish.request, 7, "e")]))
        assert (await publishing).offset == 7

    run(test)


def test_a_full_buffer_is_error_111_for_requests_and_subscriptions():
    async def test(script):
        script.server.submit = lambda payload: asyncio.get_running_loop().create_future()
        await script.subscribed()
        request = PublishRequest(CHANNEL, b"x" * (BUFFER_BYTES // 4), "id")
        waiting = [asyncio.create_task(script.brokers.publish(request)) for _ in range(6)]
        await passes(0)
        full = [task for task in waiting if task.done()]
        assert len(full) >= 2
        assert {task.exception().code for task in full} == {111}
        replies = []
        for number in range(100_000):
            script.brokers.subscribe(SubscribeRequest(CHANNEL, 10 + number, ClientInfo("u", "c")), replies.append)
            if number % 1000 == 0:
                await passes(0)
            if replies:
                break
        assert replies[0].code == 111
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {result.code for result in results} == {100, 111}

    run(test)


def test_refusals_and_late_or_unknown_answers():
    async def test(script):
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        request = script.up[0].request
        await script.down(Failed([request], 102, "unknown channel"))
        with pytest.raises(BrokerError, match="102"):
            await publishing
        await script.down(Acknowledged([(request, 1, "e"), (9999, 1, "e")]), Failed([9999], 100, ""))

    run(test)


def test_a_caller_that_gives_up_does_no_harm():
    async def test(script):
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        publishing.cancel()
        await passes(0.1)
        await script.down(Acknowledged([(script.up[0].request, 1, "e")]))
        await passes(module.ANSWER_WITHIN_S + 1)
        assert script.brokers._views[0].asked == {}

    run(test)


def test_a_failing_sink_or_callback_does_not_stop_the_stream():
    async def test(script):
        def fail(*_):
            raise RuntimeError("a bug of the hub")

        script.brokers.subscribe(SubscribeRequest(CHANNEL, 1, ClientInfo("u", "c")), fail)
        await script.down(Subscribed(CHANNEL, 1, "e", 0, False, []))
        heard, script.sink.on_publications = script.sink.on_publications, fail
        await script.down(published(1))
        script.sink.on_publications = heard
        await script.down(published(2))
        assert [entry[3] for entry in script.sink.of("pub")] == [2]

    run(test)


def test_replies_carry_position_and_publications():
    async def test(script):
        replies = []
        script.brokers.subscribe(SubscribeRequest(CHANNEL, 1, ClientInfo("u", "c")), replies.append)
        await script.down(Subscribed(CHANNEL, 1, "e", 3, True, [Pub(b"3", 3, "e")]), published(4))
        [reply] = replies
        assert isinstance(reply, SubscribeReply)
        assert (reply.position.offset, reply.recovered, [p.offset for p in reply.publications]) == (3, True, [3])
        assert [entry[3] for entry in script.sink.of("pub")] == [4]

    run(test)


def test_nothing_that_goes_up_is_large_by_itself():
    assert len(msgspec.msgpack.encode(Publish(1, "c" * 20, b"x" * 100, "i" * 32))) < 100 + module.OVERHEAD_BYTES
