import msgspec

from actors.sessions.contract import SessionRecord
from actors.sessions.wire import Item, Operation, Register, Registered, SendToUser, encode


def test_records_survive_the_wire():
    register = Register(SessionRecord("c", "u", "s", "hub", "websocket", 1, "js", "1.0", 99))
    assert msgspec.msgpack.decode(encode(register), type=Operation) == register


def test_operations_and_items_are_told_apart():
    assert msgspec.msgpack.decode(encode(SendToUser(1, "u", b"x")), type=Operation) == SendToUser(1, "u", b"x")
    assert msgspec.msgpack.decode(encode(Registered("c", accepted=True)), type=Item) == Registered("c", accepted=True)
