"""What every table has in common."""

from sqlalchemy import DateTime, UniqueConstraint

from db.base import SCHEMAS
from db.models import metadata


def test_every_table_lives_in_a_schema_of_ours_and_has_a_key() -> None:
    for table in metadata.sorted_tables:
        assert table.schema in SCHEMAS, table.fullname
        assert table.primary_key.columns, table.fullname


def test_every_moment_has_a_time_zone() -> None:
    naive = [
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, DateTime) and not column.type.timezone
    ]
    assert naive == []


def test_every_foreign_key_has_an_index_that_begins_with_it() -> None:
    missing = []
    for table in metadata.sorted_tables:
        leading = {next(iter(index.columns)).name for index in table.indexes if len(index.columns)}
        leading |= {next(iter(table.primary_key.columns)).name}
        uniques = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
        leading |= {next(iter(unique.columns)).name for unique in uniques}
        missing += [str(key.parent) for key in table.foreign_keys if key.parent.name not in leading]
    assert missing == [], "deleting the parent would read the whole table"


def test_versioned_rows_compare_and_swap() -> None:
    versioned = {m.class_.__name__ for m in _mappers() if m.version_id_col is not None}
    assert versioned >= {"User", "Product", "Order", "Organisation"}


def _mappers() -> list:  # type: ignore[type-arg]
    from db.base import Base

    return list(Base.registry.mappers)
