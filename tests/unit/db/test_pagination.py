"""Cursors, orders and limits, as far as no database is needed."""

from typing import Any

import pytest

from db.errors import InvalidInput
from db.pagination import MAX_LIMIT, Cursor, Direction, InvalidCursor, Page, check_limit, choose_sort
from db.users.repository import SORTS


def test_a_cursor_survives_its_payload() -> None:
    cursor = Cursor("-created_at", ("2026-01-01T00:00:00+00:00", "id"), Direction.PREV)
    assert Cursor.from_payload(cursor.payload()) == cursor


@pytest.mark.parametrize(
    "payload",
    [{}, {"s": "name", "v": "x", "d": "next"}, {"s": "name", "v": [1], "d": "next"}, {"s": "name", "v": [], "d": "up"}],
)
def test_what_is_no_cursor_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidCursor):
        Cursor.from_payload(payload)


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (20, 1), (21, 2), (40, 2)])
def test_pages_are_counted(total: int, pages: int) -> None:
    assert Page([], total, 1, 20).pages == pages


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1])
def test_a_limit_has_bounds(limit: int) -> None:
    with pytest.raises(InvalidInput):
        check_limit(limit)
    assert check_limit(MAX_LIMIT) == MAX_LIMIT


@pytest.mark.parametrize(
    ("sort", "order", "key"),
    [
        (None, None, "-created_at"),
        ("email", None, "email"),
        ("-email", None, "-email"),
        ("email", "desc", "-email"),
        ("-email", "asc", "email"),
    ],
)
def test_an_order_is_asked_for_in_either_way(sort: str | None, order: str | None, key: str) -> None:
    chosen = choose_sort(SORTS, sort, order, "-created_at")
    assert chosen.key == key
    assert [str(clause).endswith("DESC") for clause in chosen.clauses()] == [key.startswith("-")] * 2
    assert [str(clause).endswith("DESC") for clause in chosen.clauses(reverse=True)] == [not key.startswith("-")] * 2


@pytest.mark.parametrize(("sort", "order", "field"), [("password_hash", None, "sort"), ("email", "up", "order")])
def test_other_orders_are_refused(sort: str, order: str | None, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose_sort(SORTS, sort, order, "email")
    assert caught.value.field == field
