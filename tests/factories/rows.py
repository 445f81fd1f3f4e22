"""A row of any model: `await make_row(session, Export, status="ready")`. Name only what matters.

For what has rules of its own there are factories that go through the services (`make_user`, `make_order` …); this one
writes the row and nothing else. Columns that the database or the model fills by itself are left to them; a parent that
is not named is made as well.
"""

from decimal import Decimal
from typing import Any, TypeVar

from polyfactory.factories.sqlalchemy_factory import SQLAlchemyFactory
from sqlalchemy import Column, Numeric, Table, inspect
from sqlalchemy.ext.asyncio import AsyncSession

from db.base import Base
from db.models import metadata

ModelT = TypeVar("ModelT", bound=Base)


async def make_row(session: AsyncSession, model: type[ModelT], **values: Any) -> ModelT:
    """Write one row and return it as it is stored. Raises IntegrityError for values that the schema refuses."""
    names = {column.key: attribute.key for attribute in inspect(model).column_attrs for column in attribute.columns}
    for column in _table(model).columns:
        name = names[column.key]
        if name in values or not _is_needed(column):
            continue
        if isinstance(column.type, Numeric):
            values[name] = Decimal("9.95")  # a price; any number of the type may be negative
        elif column.foreign_keys:
            parent = next(iter(column.foreign_keys)).column
            made = await make_row(session, _model_of(parent.table))
            values[name] = getattr(made, parent.key)
    row = _factory(model).build(**(USUAL.get(model.__name__, {}) | values))
    session.add(row)
    await session.flush()
    return row


USUAL: dict[str, dict[str, Any]] = {
    "Export": {"dataset": "orders", "format": "csv", "scope": "own"},
    "JobHistory": {"state": "succeeded"},
    "QueueEntry": {"state": "ready"},
    "TokenRevocation": {"kind": "token"},
}
"""Values that checks of the schema ask for, where any value of the type would not do."""


class _RowFactory(SQLAlchemyFactory[Any]):
    """Random values by type and length for what must be given, and for nothing else."""

    __is_base_factory__ = True
    __set_relationships__ = False
    __set_association_proxy__ = False

    @classmethod
    def should_column_be_set(cls, column: Any) -> bool:
        """Whether the column has no value of its own."""
        return isinstance(column, Column) and _is_needed(column)


_factories: dict[type[Base], type[_RowFactory]] = {}


def _factory(model: type[ModelT]) -> type[_RowFactory]:
    if model not in _factories:
        _factories[model] = _RowFactory.create_factory(model)
    return _factories[model]


def _is_needed(column: Column[Any]) -> bool:
    generated = column.server_default is not None or column.default is not None or column.computed is not None
    counted = column.primary_key and column is column.table.autoincrement_column  # type: ignore[attr-defined]
    return not (generated or counted or column.nullable)


def _table(model: type[Base]) -> Table:
    table = inspect(model).local_table
    assert isinstance(table, Table)
    return table


def _model_of(table: Any) -> type[Base]:
    wanted = metadata.tables[table.fullname]
    return next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is wanted)
