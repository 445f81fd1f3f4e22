import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.protobuf_wire import Wire, WireError, read_varint, write_varint


class Leaf(msgspec.Struct):
    name: str = ""
    count: int = 0
    on: bool = False


class Tree(msgspec.Struct):
    leaf: Leaf | None = None
    leaves: list[Leaf] = []
    words: list[str] = []
    texts: dict[str, str] = {}
    by_name: dict[str, Leaf] = {}


WIRE = Wire(
    {
        Leaf: {"name": 1, "count": 2, "on": 3},
        Tree: {"leaf": 1, "leaves": 2, "words": 3, "texts": 4, "by_name": 5},
    }
)

names = st.text(max_size=8)
leaves = st.builds(Leaf, name=names, count=st.integers(-(2**63), 2**63 - 1), on=st.booleans())
trees = st.builds(
    Tree,
    leaf=st.none() | leaves,
    leaves=st.lists(leaves, max_size=4),
    words=st.lists(names, max_size=4),
    texts=st.dictionaries(names, names, max_size=3),
    by_name=st.dictionaries(names, leaves, max_size=3),
)


@given(trees)
def test_messages_round_trip(tree: Tree) -> None:
    assert WIRE.decode(Tree, WIRE.encode(tree)) == tree


@given(trees, st.data())
def test_truncation_is_noticed_or_harmless(tree: Tree, data: st.DataObject) -> None:
    content = WIRE.encode(tree)
    cut = content[: data.draw(st.integers(0, len(content)))]
    with contextlib.suppress(WireError):
        assert isinstance(WIRE.decode(Tree, cut), Tree)


@given(st.integers(0, 2**64 - 1))
def test_numbers_round_trip(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert read_varint(bytes(out), 0, len(out)) == (value, len(out))


@pytest.mark.parametrize("content", [b"", b"\x80", b"\xff" * 11])
def test_unfinished_numbers_are_refused(content: bytes) -> None:
    with pytest.raises(WireError):
        read_varint(content, 0, len(content))
