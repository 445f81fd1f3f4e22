"""How the seed is written."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from db.seed import writer
from db.seed.command import seed_async
from db.seed.scales import SCALES
from db.session import Database
from tests.fixtures.transactions import rows, value

UNTIL = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


async def test_chunks_are_invisible(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "CHUNK", 37)
    sizes: list[int] = []
    copy = writer.Writer._copy

    async def measured(self: writer.Writer, table: str, columns: object, made: list[object]) -> None:
        if table == "app.orders":
            sizes.append(len(made))
        await copy(self, table, columns, made)  # type: ignore[arg-type]

    monkeypatch.setattr(writer.Writer, "_copy", measured)
    await seed_async(database_url, "small", lambda: "h", until=UNTIL)
    assert (max(sizes), sum(sizes)) == (37, 600)
    assert await value(database, "SELECT count(DISTINCT number) FROM app.orders") == 600


async def test_ids_grow_with_time(database: Database, database_url: str) -> None:
    await seed_async(database_url, "small", lambda: "h", until=UNTIL)
    found = await rows(database, "SELECT id, created_at FROM app.orders ORDER BY number")
    stamps = [row[0].int >> 80 for row in found]
    assert stamps == sorted(stamps)
    assert all(abs(stamp / 1000 - row[1].timestamp()) < 0.01 for stamp, row in zip(stamps, found, strict=True))
    assert {row[0].version for row in found} == {7}


async def test_nobody_counts_the_rows_of_a_seed_before_it_is_done(
    database: Database, database_url: str, plain: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What autovacuum saw of them would be nothing, and make every foreign key cost a whole table."""
    refused: list[str] = []
    copy = writer.Writer._copy

    async def watched(self: writer.Writer, table: str, columns: Any, made: Any) -> None:
        await copy(self, table, columns, made)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await plain.execute(f"ANALYZE {table}")
        await plain.fetchval(f"SELECT count(*) FROM {table}")
        refused.append(table)

    monkeypatch.setattr(writer.Writer, "_copy", watched)
    await plain.execute("SET lock_timeout = '10ms'")
    await seed_async(database_url, "small", lambda: "h", until=UNTIL)
    assert set(refused) == set(writer.TABLES)
    assert await value(database, "SELECT reltuples FROM pg_class WHERE oid = 'app.orders'::regclass") == 600


@pytest.mark.slow
async def test_a_larger_scale_is_whole_too(database: Database, database_url: str) -> None:
    scale = SCALES["medium"]
    await seed_async(database_url, "medium", lambda: "h", until=UNTIL)
    assert await value(database, "SELECT count(*) FROM app.orders") == scale.orders
    lines = await value(database, "SELECT count(*) FROM app.order_items")
    assert 2.4 * scale.orders < lines < 2.8 * scale.orders
    wrong = """SELECT count(*) FROM app.orders o WHERE o.total_amount <> (
        SELECT sum(i.quantity * i.unit_price) FROM app.order_items i WHERE i.order_id = o.id)"""
    assert await value(database, wrong) == 0
