import msgspec
import pytest

from actors.brokers import wire
from actors.brokers.contract import ClientInfo, Publication
from actors.links.frames import Batch, Submit

PUB = wire.Pub(b"data", 3, "epoch", 99, ClientInfo("u", "c", b"{}"), {"a": "b"}, True, ("x",), ("y",))


@pytest.mark.parametrize(
    "op",
    [
        wire.Publish(1, "c", b"x", "id", ClientInfo("u", "c"), resent=True),
        wire.Subscribe("c", wire.Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=False), recover=True),
        wire.Unsubscribe("c", 1),
        wire.Resume("c", "e", 1, [wire.Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=True)]),
        wire.Synced(),
        wire.Repair("c", "e", 1),
        wire.History(1, "c", -1, since=True, epoch="e", offset=2, reverse=True),
        wire.HistoryRemove(1, "c"),
        wire.Presence(1, "c", full=False),
        wire.Channels(1, "*"),
    ],
    ids=lambda op: type(op).__name__,
)
def test_operations_survive_a_submit(op):
    encoded = wire.encode(Submit("boot", 1, "inc", 1, [op, op]))
    assert msgspec.msgpack.decode(encoded, type=Submit[wire.Operation]).items == [op, op]


def test_a_publication_built_from_parts_is_the_one_encoded_whole():
    assert wire.published_prefix("room:a") + wire.encode(PUB) == wire.encode(wire.Published("room:a", PUB))
    long = "room:" + "я" * 100
    assert wire.published_prefix(long) + wire.encode(PUB) == wire.encode(wire.Published(long, PUB))


def test_encoded_publications_can_be_part_of_an_answer():
    item = wire.encode(wire.Resumed("c", "e", 3, ok=True, pubs=wire.raw([wire.encode(PUB)] * 2)))
    batch = wire.encode(Batch("inc", 1, False, [msgspec.Raw(item)]))
    [decoded] = msgspec.msgpack.decode(batch, type=Batch[wire.Item]).items
    assert decoded == wire.Resumed("c", "e", 3, ok=True, pubs=[PUB, PUB])


def test_the_contract_and_the_wire_say_the_same():
    assert wire.publication(PUB) == Publication(
        b"data", 3, "epoch", ClientInfo("u", "c", b"{}"), {"a": "b"}, 99, "", False, True, ("x",), ("y",)
    )
    assert wire.publication(wire.Pub(b"x")) == Publication(b"x")


def test_subscribers_on_the_wire_are_small():
    subscriber = wire.Subscriber(1, ClientInfo("u" * 36, "c" * 36), presence=True, join_leave=True)
    assert len(msgspec.msgpack.encode(subscriber)) < 100
