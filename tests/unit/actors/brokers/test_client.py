"""All shards as one client."""

import asyncio

import pytest

from actors.brokers.client import AWAY_S, LEARN_AGAIN_S, LINGERS_S
from actors.brokers.contract import (
    BrokerError,
    ClientInfo,
    Publication,
    PublishRequest,
    SubscribeReply,
    SubscribeRequest,
)
from actors.brokers.items import Moved, Subscribed
from actors.brokers.poll_wire import DONE, PollReport
from actors.brokers.wire import Pub
from actors.links.link import BUFFER_BYTES
from actors.links.placement import bucket_of
from tests.fixtures.brokers import CHANNEL, published, scripted
from tests.fixtures.moves import Moves
from tests.fixtures.simulation import passes, simulate


def test_replies_carry_position_and_publications():
    async def test(script):
        replies = []
        script.brokers.subscribe(SubscribeRequest(CHANNEL, 1, ClientInfo("u", "c")), replies.append)
        await script.down(Subscribed(CHANNEL, 1, "e", 3, True, [Pub(b"3", 3, "e")]), published(4))
        [reply] = replies
        assert isinstance(reply, SubscribeReply)
        assert (reply.position.offset, reply.recovered, [p.offset for p in reply.publications]) == (3, True, [3])
        assert [entry[3] for entry in script.sink.of("pub")] == [4]

    scripted(test)


def test_reports_of_a_shared_poll_leave_room_for_publications():
    async def test(script):
        link = script.brokers._views[0].link
        values = [Publication(bytes(50_000), key=f"k{n}", version=1) for n in range(300)]
        for _ in range(3):
            script.brokers.poll_report("polled:a", [value.key for value in values], values, end=True)
        assert link._waiting_bytes <= BUFFER_BYTES
        await passes(10)
        script.up.clear()
        script.brokers.poll_report("polled:a", ["k"], values[:1], end=True)
        await passes(1)
        assert [(len(op.asked), len(op.values), op.end) for op in script.up] == [(1, 0, 0), (0, 1, 0), (0, 0, DONE)]
        assert all(isinstance(op, PollReport) for op in script.up)

    scripted(test)


def test_a_shard_that_does_not_answer_is_told_no_reports():
    async def test(script):
        link = script.brokers._views[0].link
        link.suspect = True
        script.brokers.poll_report("polled:a", ["k"], [], end=True)
        assert link._waiting_bytes == 0

    scripted(test)


ELSEWHERE = "big:1"
"""A channel that is the second shard's when there are two."""


async def with_two_shards(moves, boot="hub"):
    process = await moves.process(boot)
    await moves.resize(2)
    assert moves.rows.buckets[bucket_of(ELSEWHERE)][1] == 1
    await process.subscribe(ELSEWHERE)
    return process


def test_a_process_that_was_cut_off_while_a_shard_ended_finds_its_channels():
    async def main():
        async with Moves() as moves:
            other = await moves.process("other")
            hub = await with_two_shards(moves)
            moves.cut_off.add("hub")
            await passes(0.1)
            await moves.resize(1)
            moves.cut_off.clear()
            await passes(AWAY_S + LEARN_AGAIN_S + 2)
            assert set(hub.brokers._views) == {0}
            await other.publish(ELSEWHERE, "heard")
            await passes(1)
            assert [entry[2] for entry in hub.sink.of("pub")] == ["heard"]
            assert (await hub.publish(ELSEWHERE, "said")).offset == 2

    simulate(main())


def test_what_was_learned_since_is_newer_than_a_mark_that_waited():
    async def test(script):
        async def away(shard, method, payload, timeout_s):
            raise ConnectionError("away")

        bucket = bucket_of(CHANNEL)
        script.brokers._call = away
        script.brokers._places.put([bucket], 2)
        await script.down(Moved([bucket], 1))
        assert script.brokers._places.shard_of(bucket) == 2

    scripted(test)


def test_a_publication_that_a_lost_shard_may_have_made_says_so_where_it_goes_on():
    async def test(script):
        publishing = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "sent")))
        await passes(0.1)
        view = script.brokers._views[0]
        script.server.submit = lambda payload: asyncio.get_running_loop().create_future()
        on_its_way = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "on its way")))
        await passes(0.1)
        unsent = asyncio.create_task(script.brokers.publish(PublishRequest(CHANNEL, b"x", "unsent")))
        await passes(0)
        luggage = view.take_away({bucket_of(CHANNEL)}, told=False)
        resent = {asked.op.publication_id: asked.op.resent for asked in luggage.asked.values()}
        assert resent == {"sent": True, "on its way": True, "unsent": False}
        for task in (publishing, on_its_way, unsent):
            task.cancel()

    scripted(test)


def test_all_channels_are_named_also_by_a_process_whose_setting_has_fewer_shards():
    async def main():
        async with Moves() as moves:
            hub = await with_two_shards(moves)
            await hub.subscribe("room:1")
            moves.cut_off.add("api")
            api = await moves.process("api", attached=False)
            asked = asyncio.create_task(api.brokers.channels())
            await passes(1)
            moves.cut_off.clear()
            assert await asked == {ELSEWHERE: 1, "room:1": 1}

    simulate(main())


def test_all_channels_are_named_by_a_process_whose_setting_has_shards_that_are_gone():
    async def main():
        async with Moves() as moves:
            hub = await with_two_shards(moves)
            await moves.resize(1)
            api = await moves.process("api", shards=2, attached=False)
            assert await api.brokers.channels() == {ELSEWHERE: 1}
            await passes(5)
            assert api.brokers.attached
            assert set(api.brokers._views) == {0}
            await hub.brokers.stop()

    simulate(main())


def test_which_shards_there_are_is_not_guessed():
    async def main():
        async with Moves() as moves:
            moves.cut_off.add("api")
            api = await moves.process("api", attached=False)
            with pytest.raises(BrokerError, match="100 it is not known"):
                await api.brokers.channels()

    simulate(main())


def test_a_question_to_a_shard_that_ends_is_answered():
    async def main():
        async with Moves() as moves:
            hub = await with_two_shards(moves)
            moves.cut_off.add("hub")
            asked = asyncio.create_task(hub.brokers.channels())
            await passes(0)
            hub.brokers._on_moved(hub.brokers._views[1], list(range(1024)), 0)
            async with asyncio.timeout(LINGERS_S + 1):
                with pytest.raises(BrokerError, match="100"):
                    await asked

    simulate(main())
