import msgspec
import pytest

from actors.brokers import answers, items, operations
from actors.brokers.channel import Channel, Present
from actors.brokers.contract import BrokerError, ClientInfo
from actors.brokers.recovery import ANSWER_BYTES
from actors.brokers.wire import Subscriber, encode
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from cluster.settings import Settings

REFUSAL = BrokerError(108, "not available")
SUBSCRIBER = Subscriber(7, ClientInfo("u", "c"), presence=True, join_leave=False)


def told(op):
    stream = ClientStream("hub", 1, lambda _: b"", 0.0)
    answers.refuse(stream, op, REFUSAL)
    return [msgspec.msgpack.decode(item) for item in stream.take()[1]]


@pytest.mark.parametrize(
    ("op", "answer"),
    [
        (operations.Subscribe("c", SUBSCRIBER), items.SubscribeFailed("c", 7, 108, "not available")),
        (operations.Repair("c", "e", 1), items.Resumed("c", "", 0, ok=False, pubs=[])),
        (operations.Presence(5, "c", full=True), items.Failed([5], 108, "not available")),
        (operations.Publish(6, "c", b"x", "id"), items.Failed([6], 108, "not available")),
    ],
)
def test_everybody_is_refused_in_the_form_they_wait_for(op, answer):
    assert told(op) == [msgspec.msgpack.decode(encode(answer))]


def test_what_nobody_waits_for_is_not_answered():
    assert told(operations.Unsubscribe("c", 1)) == []


@pytest.mark.parametrize(("channel", "code"), [("nonsense:x", 102), ("x" * 300, 107), ("exports:progress#u", 108)])
def test_presence_of_what_keeps_none_is_refused(channel, code):
    namespaces = Namespaces.load(Settings(_env_file=None).namespaces_file)
    with pytest.raises(BrokerError) as refused:
        answers.presence(namespaces, {}, operations.Presence(1, channel, full=True))
    assert refused.value.code == code


def test_an_unknown_channel_is_empty():
    namespaces = Namespaces.load(Settings(_env_file=None).namespaces_file)
    found = answers.presence(namespaces, {}, operations.Presence(1, "room:x", full=True))
    assert (found.request, found.clients, found.infos) == (1, 0, [])


def test_presence_ends_where_an_answer_does():
    namespaces = Namespaces.parse("namespaces: {room: {presence: true, presence_limit: 0}}")
    channel = Channel("room:x", namespaces.for_channel("room:x"), 0.0)
    for number in range(100):
        channel.admit(Present(ClientInfo("u", str(number), b"1" * 100_000), "hub", number))
    found = answers.presence(namespaces, {"room:x": channel}, operations.Presence(1, "room:x", full=True))
    assert (found.clients, len(found.infos)) == (100, ANSWER_BYTES // 100_000)
