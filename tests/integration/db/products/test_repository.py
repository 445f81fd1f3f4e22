"""Queries of the catalogue."""

import pytest
from sqlalchemy import text

from db.products import repository
from db.products.repository import ProductFilter
from db.session import Database
from tests.factories.products import make_category, make_product
from tests.fixtures.transactions import rows


async def test_search_finds_its_indexes(database: Database) -> None:
    """What the query asks is what the indexes hold, or a large catalogue is read from end to end."""
    if not await rows(database, "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"):
        pytest.skip("this server has no pg_trgm: there is no trigram index to find")
    async with database.transaction() as session:
        shelf = await make_category(session)
        await session.execute(
            text(
                "INSERT INTO app.products (category_id, sku, name, description, price) "
                "SELECT :shelf, 'S-' || n, md5(n::text), md5((n * 7)::text), n FROM generate_series(1, 3000) n"
            ),
            {"shelf": shelf.id},
        )
        for index in ("words", "name"):  # what vacuum does in time
            await session.execute(text(f"SELECT gin_clean_pending_list('app.search_products_{index}')"))
        await session.execute(text("ANALYZE app.products"))
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        statement = await repository.filtered(session, ProductFilter(q="kettle"))
        compiled = statement.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
        plan = "\n".join(
            row[0] for row in await session.execute(text(f"EXPLAIN {str(compiled).replace(':', chr(92) + ':')}"))
        )
    assert "search_products_words" in plan
    assert "search_products_name" in plan


async def test_one_product_comes_with_its_category_and_only_while_it_is_live(database: Database) -> None:
    async with database.transaction() as session:
        product = await make_product(session)
    async with database.transaction() as session:
        found = await repository.live_product(session, product.id)
        assert found is not None
        assert found.category.id == product.category_id
        await session.execute(text("UPDATE app.products SET deleted_at = now()"))
        assert await repository.live_product(session, product.id) is None
