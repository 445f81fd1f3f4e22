"""Filters that a subscriber puts on the tags of publications: a small tree, checked before it is kept.

A leaf compares one tag; `and`, `or` and `not` combine. A tag that a publication does not have matches no comparison
but `neq`, `nin` and `nex`. `lt`, `lte`, `gt`, `gte` compare decimal numbers and match nothing when either side is none.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from msgspec import DecodeError, Struct, ValidationError
from msgspec.json import Decoder, Encoder

MAX_NODES: Final = 64
"""A filter runs once per publication and subscriber: its size is the server's cost."""

MAX_DEPTH: Final = 8
MAX_VALUES: Final = 128

Match = Callable[[Mapping[str, str]], bool]


class FilterNode(Struct, omit_defaults=True):
    """One node of the wire's tree. `op` empty: a leaf."""

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: list[str] = []
    nodes: list["FilterNode"] = []


class TagsFilter:
    """A filter that has passed its checks. Two that say the same in the same order are equal."""

    __slots__ = ("key", "matches", "node")

    def __init__(self, node: FilterNode, *, checked: bool = False) -> None:
        """Raises InvalidFilter."""
        if not checked:
            check(node)
        self.node = node
        self.key = _encoder.encode(node)
        self.matches: Match = compile_filter(node)
        """Whether a publication with these tags is wanted."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TagsFilter) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


class InvalidFilter(ValueError):
    """The filter cannot be used; the message says why (error 107)."""


_decoder = Decoder(FilterNode)
_encoder = Encoder()


def parse(raw: bytes) -> TagsFilter:
    """A filter from its JSON. Raises InvalidFilter."""
    try:
        return TagsFilter(_decoder.decode(raw))
    except (DecodeError, ValidationError, RecursionError) as error:
        raise InvalidFilter(str(error)) from error


def both(one: TagsFilter | None, other: TagsFilter | None) -> TagsFilter | None:
    """What passes both; None passes everything."""
    if one is None or other is None:
        return one or other
    return TagsFilter(FilterNode(op="and", nodes=[one.node, other.node]), checked=True)


def check(node: FilterNode) -> None:
    """Raises InvalidFilter when the tree is too large or says nothing that can be evaluated."""
    seen = 0
    level = [node]
    depth = 0
    while level:
        depth += 1
        seen += len(level)
        if depth > MAX_DEPTH or seen > MAX_NODES:
            raise InvalidFilter(f"a filter has at most {MAX_NODES} nodes and {MAX_DEPTH} levels")
        for one in level:
            _check_node(one)
        level = [child for one in level for child in one.nodes]


def compile_filter(node: FilterNode) -> Match:
    """A function that says whether a publication's tags match. `node` must have passed `check`."""
    if node.op == "and":
        parts = [compile_filter(child) for child in node.nodes]
        return lambda tags: all(part(tags) for part in parts)
    if node.op == "or":
        parts = [compile_filter(child) for child in node.nodes]
        return lambda tags: any(part(tags) for part in parts)
    if node.op == "not":
        inner = compile_filter(node.nodes[0])
        return lambda tags: not inner(tags)
    return _compile_leaf(node)


def _check_node(node: FilterNode) -> None:
    if node.op in ("and", "or"):
        if not node.nodes:
            raise InvalidFilter(f"'{node.op}' needs at least one node")
    elif node.op == "not":
        if len(node.nodes) != 1:
            raise InvalidFilter("'not' needs exactly one node")
    elif node.op:
        raise InvalidFilter(f"unknown operator {node.op[:32]!r}: and, or, not, or none for a comparison")
    else:
        _check_leaf(node)


def _check_leaf(node: FilterNode) -> None:
    if node.nodes:
        raise InvalidFilter("a comparison has no nodes")
    if not node.key:
        raise InvalidFilter("a comparison needs a key")
    if node.cmp in ("in", "nin"):
        if not node.vals or len(node.vals) > MAX_VALUES:
            raise InvalidFilter(f"'{node.cmp}' needs 1 to {MAX_VALUES} values")
    elif node.cmp in NUMERIC:
        if _number(node.val) is None:
            raise InvalidFilter(f"'{node.cmp}' compares numbers, {node.val[:32]!r} is none")
    elif node.cmp not in ("ex", "nex", *TEXTUAL):
        raise InvalidFilter(f"unknown comparison {node.cmp[:32]!r}")


TEXTUAL: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "eq": lambda tag, value: tag == value,
    "neq": lambda tag, value: tag != value,
    "sw": str.startswith,
    "ew": str.endswith,
    "ct": lambda tag, value: value in tag,
}

NUMERIC: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "lt": lambda tag, value: tag < value,
    "lte": lambda tag, value: tag <= value,
    "gt": lambda tag, value: tag > value,
    "gte": lambda tag, value: tag >= value,
}


def _compile_leaf(node: FilterNode) -> Match:
    key, value = node.key, node.val
    if node.cmp == "ex":
        return lambda tags: key in tags
    if node.cmp == "nex":
        return lambda tags: key not in tags
    if node.cmp in ("in", "nin"):
        values = frozenset(node.vals)
        wanted = node.cmp == "in"
        return lambda tags: (tags.get(key) in values) is wanted
    if node.cmp == "neq":
        return lambda tags: tags.get(key) != value
    if node.cmp in NUMERIC:
        return _compile_number(key, value, NUMERIC[node.cmp])
    compare = TEXTUAL[node.cmp]
    return lambda tags: key in tags and compare(tags[key], value)


def _compile_number(key: str, value: str, compare: Callable[[Decimal, Decimal], bool]) -> Match:
    right = _number(value)

    def match(tags: Mapping[str, str]) -> bool:
        left = _number(tags.get(key, ""))
        return left is not None and right is not None and compare(left, right)

    return match


def _number(text: str) -> Decimal | None:
    """A finite decimal of sensible length, or None."""
    if not text or len(text) > 40:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
