"""Parquet files have compressed row groups of bounded size."""

from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq
import pytest

from db.exports.datasets import ORDERS
from db.session import Database
from tasks.context import JobCancelled
from tasks.exports import parquet
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part, take_snapshot
from tests.fixtures.exports import Shop


async def test_row_groups_are_compressed_and_of_bounded_size(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP_ROWS", 300)
    await Shop(database, database_url).open(1_000)
    counter = Counter()
    async with take_snapshot(database_url, uuid4(), ORDERS, "true") as snapshot:
        part = Part(database_url, uuid4(), snapshot.name, ORDERS, "true", (0, snapshot.blocks))
        parquet.write_part(part, tmp_path / "orders.parquet", counter)
        with pytest.raises(JobCancelled):
            parquet.write_part(part, tmp_path / "stopped.parquet", Counter(stop=True))
    metadata = pq.ParquetFile(tmp_path / "orders.parquet").metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [group.num_rows for group in groups] == [300, 300, 300, 100]
    assert {group.column(0).compression for group in groups} == {"ZSTD"}
    assert counter.rows == metadata.num_rows == 1_000
    assert [path.name for path in tmp_path.iterdir()] == ["orders.parquet"]
