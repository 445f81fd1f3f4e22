import msgspec

from actors.brokers import wire
from actors.brokers.contract import ClientInfo, Publication


def test_the_contract_and_the_wire_say_the_same():
    pub = wire.Pub(b"data", 3, "epoch", 99, ClientInfo("u", "c", b"{}"), {"a": "b"}, True, ("x",), ("y",))
    assert wire.publication(pub) == Publication(
        b"data", 3, "epoch", ClientInfo("u", "c", b"{}"), {"a": "b"}, 99, "", False, True, ("x",), ("y",)
    )
    assert wire.publication(wire.Pub(b"x")) == Publication(b"x")


def test_subscribers_on_the_wire_are_small():
    subscriber = wire.Subscriber(1, ClientInfo("u" * 36, "c" * 36), presence=True, join_leave=True)
    assert len(msgspec.msgpack.encode(subscriber)) < 100
