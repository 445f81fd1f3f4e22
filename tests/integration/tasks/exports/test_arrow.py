"""Arrow files are what readers of Feather files open, and can be read batch by batch."""

from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.feather as feather
import pytest

from db.exports.datasets import ORDERS
from db.session import Database
from tasks.context import JobCancelled
from tasks.exports import arrow
from tasks.exports.progress import Counter
from tasks.exports.snapshot import Part, take_snapshot
from tests.fixtures.exports import Shop


async def test_feather_readers_open_it(database: Database, database_url: str, tmp_path: Path) -> None:
    await Shop(database, database_url).open(1_000)
    counter = Counter()
    async with take_snapshot(database_url, uuid4(), ORDERS, "true") as snapshot:
        part = Part(database_url, uuid4(), snapshot.name, ORDERS, "true", (0, snapshot.blocks))
        arrow.write_part(part, tmp_path / "orders.arrow", counter)
        with pytest.raises(JobCancelled):
            arrow.write_part(part, tmp_path / "stopped.arrow", Counter(stop=True))
    with pa.ipc.open_file(tmp_path / "orders.arrow") as file:
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
    assert counter.rows == sum(batch.num_rows for batch in batches) == 1_000
    table = feather.read_table(tmp_path / "orders.arrow", columns=["order_number", "total_amount"])
    assert (table.num_rows, table.schema.field("total_amount").type) == (1_000, pa.decimal128(12, 2))
    assert [path.name for path in tmp_path.iterdir()] == ["orders.arrow"]


async def test_settings_of_the_session_in_the_address_hold(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await Shop(database, database_url).open(10)
    url = f"{database_url}{'&' if '?' in database_url else '?'}jit=off&search_path=app,%20public"
    counter = Counter()
    async with take_snapshot(url, uuid4(), ORDERS, "true") as snapshot:
        part = Part(url, uuid4(), snapshot.name, ORDERS, "true", (0, snapshot.blocks))
        arrow.write_part(part, tmp_path / "orders.arrow", counter)
    assert counter.rows == 10
