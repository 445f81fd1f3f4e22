"""Every format holds the rows that Postgres has, with their types and every digit."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cluster.settings import Settings
from db.exports import datasets, storage
from db.exports.datasets import FORMATS, Column, Dataset
from db.session import Database
from tasks.exports import snapshot
from tasks.exports.formats import write_part
from tasks.exports.progress import Counter
from tests.fixtures.exports import Shop
from tests.fixtures.jobs import Bench

AWKWARD = (
    'say "hi", \\ back\\nslash',
    "line\nbreak\r\nand\ttab",
    "bell \x07 and the control characters \x01 \x02 \x1f",
    "grüße 🐟 \u2028 \x7f",
    "",
    "\\.",
    "null",
)

EVERYTHING = Dataset(
    name="everything",
    title="Everything",
    description="A column of every kind.",
    base="app.orders",
    base_alias="o",
    joins="",
    owner="o.user_id",
    columns=(
        Column("id", "o.id", "uuid", "uuid"),
        Column("number", "o.number + 9007199254740993", "int64", "more than a double can count"),
        Column("note", "NULLIF(o.note, 'null')", "string", "anything, or null"),
        Column("total", "NULLIF(o.total_amount, 3.10)", "decimal", "numeric, or null"),
        Column("details", "jsonb_build_object('note', o.note, 'total', o.total_amount)", "json", "jsonb"),
        Column("created_at", "o.created_at", "timestamp", "timestamptz"),
    ),
    filters=(),
)


@pytest.fixture
async def shop(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setattr(datasets, "DATASETS", {**datasets.DATASETS, "everything": EVERYTHING})
    shop = Shop(database, database_url)
    await shop.open(40)
    await shop.execute(
        "UPDATE app.orders SET note = ($1::text[])[1 + number % $2::int],"
        " created_at = created_at + number * interval '1 us'",
        list(AWKWARD),
        len(AWKWARD),
    )
    return shop


async def expected(shop: Shop) -> dict[UUID, dict[str, Any]]:
    connection = await asyncpg.connect(shop.url)
    try:
        return {row["id"]: dict(row) for row in await connection.fetch(EVERYTHING.select("true"))}
    finally:
        await connection.close()


async def export(bench: Bench, shop: Shop, settings: Settings, **fields: Any) -> list[Path]:
    """The files of an export, each as long and with the sum that its manifest says."""
    export_id = await shop.request(**fields)
    assert await bench.drain() == [("exports.run", "succeeded")]
    manifest = json.loads((storage.directory(settings, export_id) / storage.MANIFEST).read_text())
    assert manifest["format"] == fields["format"]
    paths = []
    for file in manifest["files"]:
        path = storage.file_path(settings, export_id, file["name"])
        content = path.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        paths.append(path)
    return paths


def read_arrow(path: Path, format: str) -> pa.Table:
    if format == "parquet":
        return pq.read_table(path)
    with pa.ipc.open_file(path) as file:
        return file.read_all()


@pytest.mark.parametrize("format", ["parquet", "arrow"])
async def test_typed_files_hold_the_rows_of_postgres(bench: Bench, shop: Shop, settings: Settings, format: str) -> None:
    (path,) = await export(bench, shop, settings, dataset="everything", format=format)
    table = read_arrow(path, format)
    assert {field.name: field.type for field in table.schema} == {
        "id": pa.uuid(),
        "number": pa.int64(),
        "note": pa.string(),
        "total": pa.decimal128(12, 2),
        "details": pa.string(),
        "created_at": pa.timestamp("us", tz="UTC"),
    }
    rows = {row["id"]: row for row in table.to_pylist()}
    assert len(rows) == table.num_rows == 40
    wanted = await expected(shop)
    for row in [*rows.values(), *wanted.values()]:
        row["details"] = json.loads(row["details"], parse_float=Decimal)
    assert rows == wanted
    assert None in {row["note"] for row in rows.values()}
    assert None in {row["total"] for row in rows.values()}


async def test_ndjson_is_an_object_per_line_with_every_digit(bench: Bench, shop: Shop, settings: Settings) -> None:
    (path,) = await export(bench, shop, settings, dataset="everything", format="ndjson")
    content = path.read_bytes()
    assert content.endswith(b"}\n")
    rows = {}
    for line in content.decode().removesuffix("\n").split("\n"):
        row = json.loads(line, parse_float=Decimal)
        row["id"] = UUID(row["id"])
        row["created_at"] = datetime.fromisoformat(row["created_at"])
        assert row["created_at"].utcoffset() == UTC.utcoffset(None)
        rows[row["id"]] = row
    wanted = await expected(shop)
    for row in wanted.values():
        row["details"] = json.loads(row["details"], parse_float=Decimal)
    assert rows == wanted
    assert {str(row["total"]) for row in rows.values()} >= {"1.10", "None"}


async def test_csv_holds_the_same_rows_as_text(bench: Bench, shop: Shop, settings: Settings) -> None:
    (path,) = await export(bench, shop, settings, dataset="everything", format="csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = {UUID(row["id"]): row for row in csv.DictReader(file)}
    wanted = await expected(shop)
    assert rows.keys() == wanted.keys()
    for row_id, row in rows.items():
        assert row["note"] == (wanted[row_id]["note"] or "")
        assert Decimal(row["total"] or 0) == (wanted[row_id]["total"] or 0)
        assert int(row["number"]) == wanted[row_id]["number"]
        assert datetime.fromisoformat(row["created_at"]) == wanted[row_id]["created_at"]


@pytest.mark.parametrize("format", FORMATS)
async def test_several_files_hold_every_row_once(
    bench: Bench, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch, format: str
) -> None:
    await shop.open(5_000, forget_jobs=True)
    monkeypatch.setattr(snapshot, "PART_BLOCKS", 20)
    monkeypatch.setattr(snapshot, "PART_ROWS", 1)
    paths = await export(bench, shop, settings, dataset="orders", format=format)
    assert len(paths) > 1
    numbers: list[int] = []
    for path in paths:
        if format in ("parquet", "arrow"):
            numbers += read_arrow(path, format).column("order_number").to_pylist()
        elif format == "csv":
            numbers += [int(row["order_number"]) for row in csv.DictReader(io.StringIO(path.read_text()))]
        else:
            numbers += [json.loads(line)["order_number"] for line in path.read_text().splitlines()]
    assert len(numbers) == len(set(numbers)) == 5_040


@pytest.mark.parametrize("format", FORMATS)
async def test_an_export_without_rows_is_an_empty_file_of_its_format(
    bench: Bench, shop: Shop, settings: Settings, format: str
) -> None:
    filters = {"created_from": "2999-01-01"}
    (path,) = await export(bench, shop, settings, dataset="orders", format=format, filters=filters)
    if format in ("parquet", "arrow"):
        table = read_arrow(path, format)
        assert (table.num_rows, table.schema.names[0]) == (0, "order_id")
    elif format == "csv":
        assert path.read_text().startswith("order_id,")
    else:
        assert path.read_bytes() == b""


async def test_what_has_no_writer_is_an_error(shop: Shop, tmp_path: Path) -> None:
    part = snapshot.Part(shop.url, UUID(int=0), "x", EVERYTHING, "true", (0, 1))
    with pytest.raises(ValueError, match="xlsx"):
        await write_part("xlsx", part, tmp_path / "x", Counter())
