"""The invalidation log's columns."""

from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from db.caches.models import CacheInvalidation


def test_transactions_are_remembered_as_64_bit_ids() -> None:
    ddl = str(CreateTable(CacheInvalidation.__table__).compile(dialect=postgresql.dialect()))  # type: ignore[arg-type]
    assert "xid xid8 DEFAULT pg_current_xact_id() NOT NULL" in ddl
