"""Stock under locks."""

from uuid import uuid4

import pytest
from sqlalchemy import exc, text

from db.products import stock
from db.session import Database
from tests.factories.products import make_product
from tests.fixtures.transactions import in_transaction, value


async def test_moving_changes_stock_and_version_of_exactly_these_products(database: Database) -> None:
    async with database.transaction() as session:
        one, two, other = [await make_product(session, stock=10) for _ in range(3)]
        await stock.lock(session, [one.id, two.id])
        await stock.move(session, {one.id: -3, two.id: 4})
    found = await in_transaction(database, lambda s: stock.lock(s, [one.id, two.id, other.id]))
    assert {key: (row.stock, row.version) for key, row in found.items()} == {
        one.id: (7, 2), two.id: (14, 2), other.id: (10, 1),
    }  # fmt: skip


async def test_levels_are_those_that_are_newer_or_gone(database: Database) -> None:
    async with database.transaction() as session:
        one, two, gone = [await make_product(session, stock=10) for _ in range(3)]
        await stock.move(session, {one.id: -3})
        await session.execute(text("UPDATE app.products SET deleted_at = now() WHERE id = :id"), {"id": gone.id})
    never = uuid4()
    known = {one.id: 1, two.id: 1, gone.id: 1, never: 0}
    found = await in_transaction(database, lambda s: stock.levels(s, known))
    assert {(each.product_id, each.version, each.stock) for each in found} == {
        (one.id, 2, 7), (gone.id, 1, None), (never, 0, None),
    }  # fmt: skip
    assert await in_transaction(database, lambda s: stock.levels(s, {one.id: 2})) == []
    assert await in_transaction(database, lambda s: stock.levels(s, {})) == []


async def test_the_database_itself_refuses_to_go_below_zero(database: Database) -> None:
    product = await in_transaction(database, lambda s: make_product(s, stock=2))
    with pytest.raises(exc.IntegrityError, match="stock_not_negative"):
        await in_transaction(database, lambda s: stock.move(s, {product.id: -3}))
    assert await value(database, "SELECT stock FROM app.products") == 2


async def test_a_lock_shows_the_present_even_to_a_session_that_read_before(database: Database) -> None:
    product = await in_transaction(database, lambda s: make_product(s, stock=10))
    async with database.transaction() as session:
        assert (await stock.lock(session, [uuid4()])) == {}
        before = await session.get_one(type(product), product.id)
        assert before.stock == 10
        async with database.transaction() as other:
            await other.execute(text("UPDATE app.products SET stock = 1"))
        assert (await stock.lock(session, [product.id]))[product.id].stock == 1
