"""CSV for spreadsheets and for programs."""

import csv
import io

import pytest

from cluster.settings import Settings
from db.exports import service, storage
from db.session import Database
from tests.fixtures.exports import Shop
from tests.fixtures.jobs import Bench


@pytest.fixture
def shop(database: Database, database_url: str) -> Shop:
    return Shop(database, database_url)


async def test_csv_is_what_a_spreadsheet_and_a_program_can_read(
    bench: Bench, shop: Shop, settings: Settings, database: Database
) -> None:
    await shop.open(3)
    await shop.execute(
        """
        WITH c AS (INSERT INTO app.categories (slug, name) VALUES ('c', 'C') RETURNING id),
        p AS (INSERT INTO app.products (category_id, sku, name, price) SELECT id, 's', 'p', 1 FROM c RETURNING id)
        INSERT INTO app.order_items
            (order_id, position, product_id, product_name, sku, unit_price, quantity, line_total)
        SELECT o.id, 1, p.id, n.name, '-1+1', 9.99, 2, 19.98
        FROM p, (SELECT id, row_number() OVER (ORDER BY number) AS r FROM app.orders) o
        JOIN (VALUES
            (1, '=HYPERLINK("http://evil")'), (2, 'plain, "quoted"' || chr(10) || 'and broken'), (3, '@SUM(1)'))
            AS n(r, name) ON n.r = o.r
        """
    )
    export_id = await shop.request(dataset="order_lines", format="csv")
    assert ("exports.run", "succeeded") in await bench.drain()
    async with database.transaction() as session:
        (file,) = await service.list_files(session, export_id)
    content = (storage.directory(settings, export_id) / "data" / file.name).read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert file.rows == len(rows) == 3
    names = {row["product_name"] for row in rows}
    assert names == {'\'=HYPERLINK("http://evil")', 'plain, "quoted"\nand broken', "'@SUM(1)"}
    assert {row["sku"] for row in rows} == {"'-1+1"}
    assert rows[0]["unit_price"] == "9.99"
