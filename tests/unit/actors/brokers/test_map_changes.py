import msgspec
import pytest

from actors.brokers import map_changes
from actors.brokers.channel import Channel
from actors.brokers.map_state import NEVER
from actors.brokers.operations import KeyChange, Publish
from actors.brokers.wire import Pub
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES

RULES = Namespaces.parse(NAMESPACES)


def channel(name: str) -> Channel:
    return Channel(name, RULES.for_channel(name), 0.0)


def op(data: bytes | None, *, delta=False) -> Publish:
    return Publish(
        1, "c", data or b"", "id", delta=delta, change=KeyChange("k", removed=data is None, score=2), version=9
    )


def decoded(pub: bytes) -> Pub:
    return msgspec.msgpack.decode(pub, type=Pub)


def test_a_change_becomes_the_newest_value():
    board = channel("board:a")
    assert map_changes.before(board, op(b"1")) is None
    map_changes.apply(board, op(b"1"), 4, 1000, 50.0)
    assert map_changes.before(board, op(b"2")) == b"1"
    value = board.map.values["k"]
    assert (value.offset, value.score, value.version, value.expires) == (4, 2, 9, 50.0 + 3600)
    assert (decoded(value.pub).entry.key, decoded(value.pub).entry.score, decoded(value.pub).time_ms) == ("k", 2, 1000)
    map_changes.apply(board, op(None), 5, 1000, 51.0)
    assert board.map.values == {}


def test_keys_of_a_persistent_map_do_not_expire():
    stock = channel("stock:a")
    map_changes.apply(stock, op(b"1"), 1, 0, 0.0)
    assert stock.map.values["k"].expires == NEVER


@pytest.mark.parametrize(
    ("name", "change", "before"),
    [
        ("board:a", op(b"2", delta=True), b"1"),
        ("board:a", op(b"2"), b""),
        ("board:a", op(None, delta=True), b""),
        ("stock:a", op(b"2", delta=True), b""),
    ],
    ids=["delta", "not asked for", "removal", "not allowed"],
)
def test_what_is_replaced_travels_only_where_it_is_wanted(name, change, before):
    pub = map_changes.compose(channel(name), change, 2, "e", 0, before=b"1")
    assert decoded(pub).entry.before == before


def test_streams_have_no_keys():
    room = channel("room:a")
    map_changes.apply(room, op(b"1"), 1, 0, 0.0)
    assert map_changes.before(room, op(b"1")) is None
    assert room.map is None
