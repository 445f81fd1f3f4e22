"""All shards as one client."""

from actors.brokers.contract import ClientInfo, Publication, SubscribeReply, SubscribeRequest
from actors.brokers.items import Subscribed
from actors.brokers.poll_wire import DONE, PollReport
from actors.brokers.wire import Pub
from actors.links.link import BUFFER_BYTES
from tests.fixtures.brokers import CHANNEL, published, scripted
from tests.fixtures.simulation import passes


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
