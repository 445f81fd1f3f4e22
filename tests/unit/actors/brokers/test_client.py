"""All shards as one client."""

from actors.brokers.contract import ClientInfo, SubscribeReply, SubscribeRequest
from actors.brokers.items import Subscribed
from actors.brokers.wire import Pub
from tests.fixtures.brokers import CHANNEL, published, scripted


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
