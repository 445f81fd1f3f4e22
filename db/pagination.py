"""Pages by number and by cursor. Repositories declare what may be sorted; nothing else reaches the database."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.errors import InvalidInput

T = TypeVar("T")

MAX_LIMIT = 100
"""Largest page: bounds the memory and time of one list request."""

MAX_OFFSET = 100_000
"""Postgres reads and throws away everything before an offset; deeper reading goes by cursor."""


class InvalidCursor(InvalidInput):
    """A cursor that this list did not hand out, or not for this order."""

    code = "invalid_cursor"
    default_message = "This cursor does not belong to this list."


class Direction(enum.StrEnum):
    """Which way a cursor reads."""

    NEXT = "next"
    PREV = "prev"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page by number. `page` counts from 1."""

    items: Sequence[T]
    total: int
    page: int
    limit: int

    @property
    def pages(self) -> int:
        """How many pages there are; at least 1."""
        return max(1, -(-self.total // self.limit))


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in an ordered list. `payload()` is what gets signed and handed out."""

    sort: str
    values: tuple[str, ...]
    direction: Direction = Direction.NEXT

    def payload(self) -> dict[str, Any]:
        """JSON-compatible form."""
        return {"s": self.sort, "v": list(self.values), "d": self.direction.value}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "Cursor":
        """Read what `payload` made. Raises InvalidCursor."""
        try:
            values = payload["v"]
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                raise InvalidCursor
            return cls(str(payload["s"]), tuple(values), Direction(payload["d"]))
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidCursor from error


@dataclass(frozen=True, slots=True)
class CursorPage(Generic[T]):
    """One page by cursor; a missing cursor means that the list ends there."""

    items: Sequence[T]
    next: Cursor | None
    prev: Cursor | None


@dataclass(frozen=True, slots=True)
class SortOrder:
    """A total order: `columns` end with a unique one, and none is nullable. All go the same way."""

    name: str
    columns: tuple[InstrumentedAttribute[Any], ...]
    descending: bool = False

    @property
    def key(self) -> str:
        """The order's name as a cursor remembers it."""
        return f"-{self.name}" if self.descending else self.name

    def clauses(self, *, reverse: bool = False) -> list[ColumnElement[Any]]:
        """ORDER BY terms."""
        down = self.descending != reverse
        return [column.desc() if down else column.asc() for column in self.columns]


def choose_sort(
    allowed: Mapping[str, tuple[InstrumentedAttribute[Any], ...]], sort: str | None, order: str | None, default: str
) -> SortOrder:
    """The order a caller asked for: `sort=price&order=desc`, or `sort=-price`. Raises InvalidInput for others."""
    chosen = sort or default
    descending = chosen.startswith("-")
    name = chosen.lstrip("-")
    if order is not None:
        if order not in ("asc", "desc"):
            raise InvalidInput("order is 'asc' or 'desc'", field="order")
        descending = order == "desc"
    if name not in allowed:
        raise InvalidInput(f"sort is one of {', '.join(sorted(allowed))}", field="sort")
    return SortOrder(name, allowed[name], descending)


def check_limit(limit: int) -> int:
    """The limit itself, if it is in bounds."""
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is between 1 and {MAX_LIMIT}", field="limit")
    return limit


async def fetch_page(
    session: AsyncSession, statement: Select[Any], order: SortOrder, *, page: int, limit: int, count: bool = True
) -> Page[Any]:
    """Run `statement` (one entity) for one numbered page. `count=False` skips the total, which is then 0."""
    check_limit(limit)
    if page < 1 or (page - 1) * limit > MAX_OFFSET:
        raise InvalidInput(f"page is at least 1 and reaches {MAX_OFFSET} rows; read further by cursor", field="page")
    total = 0
    if count:
        counted = select(func.count()).select_from(statement.order_by(None).options().subquery())
        total = int(await session.scalar(counted) or 0)
    rows = await session.scalars(statement.order_by(*order.clauses()).limit(limit).offset((page - 1) * limit))
    return Page(rows.unique().all(), total, page, limit)


async def fetch_cursor_page(
    session: AsyncSession, statement: Select[Any], order: SortOrder, *, cursor: Cursor | None, limit: int
) -> CursorPage[Any]:
    """Run `statement` (one entity) for the page at `cursor`: cost does not grow with depth."""
    check_limit(limit)
    backwards = cursor is not None and cursor.direction is Direction.PREV
    if cursor is not None:
        if cursor.sort != order.key or len(cursor.values) != len(order.columns):
            raise InvalidCursor
        pairs = zip(order.columns, cursor.values, strict=True)
        # Typed literals: an inferred type would compare a timestamp with time zone to one without.
        values = [literal(_decode(column, value), column.type) for column, value in pairs]
        here, there = tuple_(*order.columns), tuple_(*values)
        statement = statement.where(here < there if order.descending != backwards else here > there)
    rows = await session.scalars(statement.order_by(*order.clauses(reverse=backwards)).limit(limit + 1))
    found = list(rows.unique().all())
    more = len(found) > limit
    items = found[:limit]
    if backwards:
        items.reverse()
    has_next = more if not backwards else cursor is not None
    has_prev = more if backwards else cursor is not None
    return CursorPage(
        items,
        _cursor_at(order, items[-1], Direction.NEXT) if items and has_next else None,
        _cursor_at(order, items[0], Direction.PREV) if items and has_prev else None,
    )


def _cursor_at(order: SortOrder, item: Any, direction: Direction) -> Cursor:
    values = tuple(_encode(getattr(item, column.key)) for column in order.columns)
    return Cursor(order.key, values, direction)


def _encode(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _decode(column: InstrumentedAttribute[Any], value: str) -> Any:
    kind = column.type.python_type
    try:
        if kind is datetime:
            return datetime.fromisoformat(value)
        if kind in (UUID, Decimal, int, str):
            return kind(value)
    except (ValueError, ArithmeticError) as error:
        raise InvalidCursor from error
    raise InvalidCursor
