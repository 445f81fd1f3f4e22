import json
from typing import Any

import pytest
from centrifuge.filter import Filter
from hypothesis import given
from hypothesis import strategies as st

from actors.protocol.tags_filter import MAX_DEPTH, MAX_NODES, InvalidFilter, parse

TAGS = {"ticker": "AAPL", "price": "100.50", "source": "NASDAQ"}


def matches(node: dict[str, Any], tags: dict[str, str] = TAGS) -> bool:
    return parse(json.dumps(node).encode()).matches(tags)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Filter.eq("ticker", "AAPL"), True),
        (Filter.eq("ticker", "MSFT"), False),
        (Filter.eq("missing", ""), False),
        (Filter.neq("ticker", "MSFT"), True),
        (Filter.neq("missing", "x"), True),
        (Filter.is_in("source", ["NYSE", "NASDAQ"]), True),
        (Filter.not_in("source", ["NYSE"]), True),
        (Filter.not_in("missing", ["NYSE"]), True),
        (Filter.exists("price"), True),
        (Filter.gte("price", "100.5"), True),
        (Filter.gt("price", "100.5"), False),
        (Filter.lt("price", "1e3"), True),
        (Filter.lt("ticker", "5"), False),
        (Filter.all(Filter.eq("ticker", "AAPL"), Filter.gte("price", "100"), Filter.exists("source")), True),
        (Filter.any(Filter.eq("ticker", "MSFT"), Filter.eq("source", "NASDAQ")), True),
        (Filter.negate(Filter.eq("source", "NASDAQ")), False),
    ],
)
def test_filters_built_by_the_sdk(node: Any, expected: bool) -> None:
    assert matches(node.node) is expected


@pytest.mark.parametrize(
    ("comparison", "value", "expected"),
    [("sw", "AA", True), ("ew", "PL", True), ("ct", "AP", True), ("ct", "ap", False), ("nex", "", False)],
)
def test_text_comparisons(comparison: str, value: str, expected: bool) -> None:
    assert matches({"key": "ticker", "cmp": comparison, "val": value}) is expected


@pytest.mark.parametrize(
    "node",
    [
        {},
        {"key": "a", "cmp": "like", "val": "x"},
        {"cmp": "eq", "val": "x"},
        {"key": "a", "cmp": "in"},
        {"key": "a", "cmp": "in", "vals": ["x"] * 129},
        {"key": "a", "cmp": "lt", "val": "NaN"},
        {"key": "a", "cmp": "lt", "val": "1" * 41},
        {"op": "and"},
        {"op": "xor", "nodes": [{"key": "a", "cmp": "ex"}]},
        {"op": "not", "nodes": [{"key": "a", "cmp": "ex"}, {"key": "b", "cmp": "ex"}]},
        {"key": "a", "cmp": "ex", "nodes": [{"key": "b", "cmp": "ex"}]},
        {"op": "or", "nodes": [{"key": "a", "cmp": "ex"}] * MAX_NODES},
    ],
)
def test_what_cannot_be_evaluated_is_refused(node: dict[str, Any]) -> None:
    with pytest.raises(InvalidFilter):
        parse(json.dumps(node).encode())


def test_depth_is_bounded() -> None:
    node: dict[str, Any] = {"key": "a", "cmp": "ex"}
    for _ in range(MAX_DEPTH):
        node = {"op": "not", "nodes": [node]}
    with pytest.raises(InvalidFilter):
        parse(json.dumps(node).encode())
    with pytest.raises(InvalidFilter):
        parse(b'{"op":"not","nodes":[' * 5000)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_usable(raw: bytes) -> None:
    try:
        node = parse(raw)
    except InvalidFilter:
        return
    assert node.matches({}) in (True, False)
