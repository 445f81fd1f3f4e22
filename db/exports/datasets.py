"""What may be exported: named datasets with a list of columns and a row filter, and nothing else.

SQL is put together only from what stands in this module; callers choose names, and values are literals of checked type.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from db.exports.errors import InvalidExportFilter, UnknownDataset

Scope = Literal["own", "all"]
Format = Literal["parquet", "arrow", "csv", "ndjson"]
Blocks = tuple[int, int] | None
FORMATS: tuple[Format, ...] = ("parquet", "arrow", "csv", "ndjson")

_GUARDED = r"""CASE WHEN {sql} ~ '^[=+\-@\t\r]' THEN '''' || {sql} ELSE {sql} END"""

SEES_ALL = "orders:read_all"
"""The permission for everybody's rows, when they are asked for, written and downloaded."""

ORDER_STATUSES = ("pending", "paid", "packed", "shipped", "delivered", "cancelled")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the files. `kind` decides its type in Parquet and Arrow; decimals keep precision and scale."""

    name: str
    sql: str
    kind: Literal["uuid", "string", "int64", "decimal", "timestamp", "json"]
    description: str
    precision: int = 12
    scale: int = 2


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter that requesters may set. `sql` has `{value}` where the checked literal goes."""

    name: str
    sql: str
    kind: Literal["timestamp", "choice"]
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named query. `base` is the table whose blocks divide it into parts, under the alias `base_alias`."""

    name: str
    title: str
    description: str
    base: str
    base_alias: str
    joins: str
    owner: str
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...]

    def check_filters(self, filters: Mapping[str, Any]) -> dict[str, str]:
        """The filters in canonical form. Raises InvalidExportFilter."""
        known = {offered.name: offered for offered in self.filters}
        checked = {}
        for name, value in filters.items():
            if name not in known:
                raise InvalidExportFilter(f"filters are {', '.join(sorted(known))}", field=f"filters.{name}")
            checked[name] = _CHECKS[known[name].kind](known[name], value)
        return checked

    def where(self, *, scope: Scope, user_id: UUID, filters: Mapping[str, Any]) -> str:
        """The row filter: the requester's own rows unless all were granted, and the chosen filters."""
        checked = self.check_filters(filters)
        terms = [] if scope == "all" else [f"{self.owner} = '{UUID(str(user_id))}'::uuid"]
        terms += [
            offered.sql.format(value=checked[offered.name]) for offered in self.filters if offered.name in checked
        ]
        return " AND ".join(terms) or "true"

    def select(self, where: str, *, blocks: Blocks = None, for_spreadsheets: bool = False) -> str:
        """The query of one part. `blocks` is a half-open range of the base table's heap blocks.

        `for_spreadsheets` puts an apostrophe before text that a spreadsheet would run as a formula.
        """
        columns = ", ".join(
            f"{_GUARDED.format(sql=c.sql) if for_spreadsheets and c.kind == 'string' else c.sql} AS {c.name}"
            for c in self.columns
        )
        source = f"{self.base} AS {self.base_alias} {self.joins}".strip()
        return f"SELECT {columns} FROM {source} WHERE {self._part(where, blocks)}"  # noqa: S608 - see the module's docstring

    def count(self, where: str, *, blocks: Blocks = None) -> str:
        """How many rows `select` gives."""
        source = f"{self.base} AS {self.base_alias} {self.joins}".strip()
        return f"SELECT count(*) FROM {source} WHERE {self._part(where, blocks)}"  # noqa: S608 - see the module's docstring

    def _part(self, where: str, blocks: Blocks) -> str:
        if blocks is None:
            return where
        start, end = (int(block) for block in blocks)
        ctid = f"{self.base_alias}.ctid"
        return f"{ctid} >= '({start},0)'::tid AND {ctid} < '({end},0)'::tid AND {where}"


def _check_timestamp(offered: Filter, value: Any) -> str:
    """The moment in UTC, which is also what one without a zone means: it may not depend on a server's setting."""
    try:
        moment = datetime.fromisoformat(str(value))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError) as error:
        raise InvalidExportFilter("not a date or time (ISO 8601)", field=f"filters.{offered.name}") from error


def _check_choice(offered: Filter, value: Any) -> str:
    if value not in offered.choices:
        raise InvalidExportFilter(f"one of {', '.join(offered.choices)}", field=f"filters.{offered.name}")
    return str(value)


_CHECKS: dict[str, Callable[[Filter, Any], str]] = {"timestamp": _check_timestamp, "choice": _check_choice}

_ORDER_FILTERS = (
    Filter("status", "o.status = '{value}'", "choice", "Only orders in this status.", ORDER_STATUSES),
    Filter(
        "created_from",
        "o.created_at >= '{value}'::timestamptz",
        "timestamp",
        "Placed at or after this; UTC without a zone.",
    ),
    Filter(
        "created_until", "o.created_at < '{value}'::timestamptz", "timestamp", "Placed before this; UTC without one."
    ),
)

ORDERS = Dataset(
    name="orders",
    title="Orders",
    description="One row per order.",
    base="app.orders",
    base_alias="o",
    joins="",
    owner="o.user_id",
    columns=(
        Column("order_id", "o.id", "uuid", "Id of the order."),
        Column("order_number", "o.number", "int64", "Number that people read out."),
        Column("user_id", "o.user_id", "uuid", "Who ordered."),
        Column("status", "o.status", "string", "Status when the export's snapshot was taken."),
        Column("currency", "o.currency", "string", "ISO 4217."),
        Column("total_amount", "o.total_amount", "decimal", "Sum of the lines."),
        Column("item_count", "o.item_count::bigint", "int64", "Pieces ordered."),
        Column("created_at", "o.created_at", "timestamp", "When it was placed."),
        Column("updated_at", "o.updated_at", "timestamp", "When it last changed."),
    ),
    filters=_ORDER_FILTERS,
)

ORDER_LINES = Dataset(
    name="order_lines",
    title="Order lines",
    description="One row per line of an order, with the product's name and price as they were then.",
    base="app.order_items",
    base_alias="i",
    joins="JOIN app.orders o ON o.id = i.order_id",
    owner="o.user_id",
    columns=(
        Column("order_id", "i.order_id", "uuid", "Id of the order."),
        Column("order_number", "o.number", "int64", "Number that people read out."),
        Column("position", "i.position::bigint", "int64", "Position of the line in the order."),
        Column("sku", "i.sku", "string", "Stock keeping unit."),
        Column("product_name", "i.product_name", "string", "Name when it was ordered."),
        Column("unit_price", "i.unit_price", "decimal", "Price of one piece."),
        Column("quantity", "i.quantity::bigint", "int64", "Pieces."),
        Column("line_total", "i.line_total", "decimal", "Price of the line."),
        Column("ordered_at", "o.created_at", "timestamp", "When the order was placed."),
    ),
    filters=_ORDER_FILTERS,
)

DATASETS: Mapping[str, Dataset] = {dataset.name: dataset for dataset in (ORDERS, ORDER_LINES)}


def get_dataset(name: str) -> Dataset:
    """The dataset of this name. Raises UnknownDataset."""
    try:
        return DATASETS[name]
    except KeyError:
        raise UnknownDataset(f"datasets are {', '.join(DATASETS)}", field="dataset") from None
