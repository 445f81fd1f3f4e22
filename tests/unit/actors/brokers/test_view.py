"""A client and one shard: resets, refusals, bounds, against a scripted stream."""

import asyncio

import msgspec
import pytest

from actors.brokers import view as module
from actors.brokers.contract import BrokerError, ClientInfo, HistoryRequest, PublishRequest, SubscribeRequest
from actors.brokers.items import Acknowledged, Failed, Subscribed
from actors.brokers.operations import Publish, Resume, Subscribe, Synced
from actors.links.link import BUFFER_BYTES
from tests.fixtures.brokers import CHANNEL, published, scripted
from tests.fixtures.simulation import passes


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

    scripted(test)


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

    scripted(test)


def test_refusals_and_late_or_unknown_answers():
    async def test(script):
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        request = script.up[0].request
        await script.down(Failed([request], 102, "unknown channel"))
        with pytest.raises(BrokerError, match="102"):
            await publishing
        await script.down(Acknowledged([(request, 1, "e"), (9999, 1, "e")]), Failed([9999], 100, ""))

    scripted(test)


def test_a_caller_that_gives_up_does_no_harm():
    async def test(script):
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        publishing.cancel()
        await passes(0.1)
        await script.down(Acknowledged([(script.up[0].request, 1, "e")]))
        await passes(module.ANSWER_WITHIN_S + 1)
        assert script.brokers._views[0].requests.asked == {}

    scripted(test)


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

    scripted(test)


def test_nothing_that_goes_up_is_large_by_itself():
    assert len(msgspec.msgpack.encode(Publish(1, "c" * 20, b"x" * 100, "i" * 32))) < 100 + module.OVERHEAD_BYTES


def test_what_cannot_be_encoded_fails_by_itself_and_at_once():
    """A read-only API key that asked for 10**30 publications ended realtime for its whole process."""

    async def test(script):
        replies = []
        script.brokers.subscribe(SubscribeRequest(CHANNEL, 1, ClientInfo("\ud800", "c")), replies.append)
        history = asyncio.create_task(script.brokers.history(HistoryRequest(CHANNEL, limit=10**30)))
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "id")))
        await passes(0.1)
        assert [reply.code for reply in replies] == [107]
        with pytest.raises(BrokerError) as refusal:
            await history
        assert refusal.value.code == 107
        [op] = script.up
        await script.down(Acknowledged([(op.request, 1, "e")]))
        assert (await publishing).offset == 1

    scripted(test)
