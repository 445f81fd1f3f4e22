"""The catalogue."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from db.errors import InvalidInput, PreconditionFailed
from db.pagination import Cursor, Direction, InvalidCursor
from db.products import service
from db.products.errors import ProductNotFound, SkuTaken, UnknownCategory
from db.products.repository import ProductFilter
from db.session import Database
from tests.factories.products import make_category, make_product
from tests.fixtures.transactions import event_types, in_transaction, refused, rows


async def names(database: Database, sort: str = "name", **wanted: Any) -> list[str]:
    page = await in_transaction(database, lambda s: service.list_products(s, ProductFilter(**wanted), sort=sort))
    return [product.name for product in page.items]


@pytest.fixture
async def shop(database: Database) -> None:
    async with database.transaction() as session:
        lights = await make_category(session, slug="lights", name="Lights")
        torches = await make_category(session, slug="torches", name="Torches", parent_id=lights.id)
        boats = await make_category(session, slug="boats", name="Boats")
        await make_product(
            session, lights, name="Lamp", price=Decimal("20.00"), description="Warm glass light", stock=0
        )
        await make_product(session, torches, name="Diving torch", price=Decimal("120.00"))
        await make_product(session, boats, name="Kayak", price=Decimal("800.50"), description="For two people")
        await make_product(session, boats, name="100% oar", price=Decimal("35.00"))


@pytest.mark.usefixtures("shop")
async def test_filters_narrow_and_orders_order(database: Database) -> None:
    assert await names(database) == ["100% oar", "Diving torch", "Kayak", "Lamp"]
    assert await names(database, sort="-price") == ["Kayak", "Diving torch", "100% oar", "Lamp"]
    assert await names(database, category="lights") == ["Diving torch", "Lamp"], "its children count"
    assert await names(database, category="nothing") == []
    assert await names(database, price_min=Decimal("20.00"), price_max=Decimal("120.00")) == [
        "100% oar",
        "Diving torch",
        "Lamp",
    ]
    assert await names(database, in_stock=False) == ["Lamp"]
    assert "Lamp" not in await names(database, in_stock=True)
    await refused(
        database,
        InvalidInput,
        lambda s: service.list_products(s, ProductFilter(price_min=Decimal(2), price_max=Decimal(1))),
    )


@pytest.mark.usefixtures("shop")
async def test_search_finds_parts_of_names_and_words_of_descriptions(database: Database) -> None:
    assert await names(database, q="ayak") == ["Kayak"]
    assert await names(database, q="glass light") == ["Lamp"]
    assert await names(database, q="people") == ["Kayak"]
    assert await names(database, q="100%") == ["100% oar"]
    assert await names(database, q="%") == ["100% oar"]
    assert await names(database, q='"') == []


@pytest.mark.usefixtures("shop")
async def test_search_by_words_uses_its_index(database: Database) -> None:
    async with database.transaction() as session:
        statement = await service.repository.filtered(session, ProductFilter(q="glass"))
        compiled = str(statement.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": False}))
    assert "to_tsvector('simple', app.products.name || ' ' || app.products.description)" in compiled


@pytest.mark.usefixtures("shop")
async def test_cursors_walk_forth_and_back_over_equal_values(database: Database) -> None:
    async with database.transaction() as session:
        for _ in range(5):
            await make_product(session, price=Decimal("20.00"))

    async def part(cursor: Cursor | None) -> Any:
        return await in_transaction(
            database, lambda s: service.list_products_by_cursor(s, sort="price", cursor=cursor, limit=4)
        )

    first = await part(None)
    assert first.prev is None
    second = await part(first.next)
    third = await part(second.next)
    assert third.next is None
    everything = [p.id for page in (first, second, third) for p in page.items]
    assert len(everything) == len(set(everything)) == 9
    back = await part(third.prev)
    assert [p.id for p in back.items] == [p.id for p in second.items]
    assert back.prev is not None
    assert [p.id for p in (await part(back.prev)).items] == [p.id for p in first.items]
    assert (await part(Cursor.from_payload(first.next.payload()))).items[0].id == second.items[0].id
    other_order = Cursor("name", ("Lamp", str(uuid4())), Direction.NEXT)
    await refused(
        database, InvalidCursor, lambda s: service.list_products_by_cursor(s, sort="price", cursor=other_order)
    )
    forged = Cursor("price", ("1; DROP TABLE", str(uuid4())))
    await refused(database, InvalidCursor, lambda s: service.list_products_by_cursor(s, sort="price", cursor=forged))


async def test_changes_are_versioned_invalidated_and_recorded(database: Database) -> None:
    product = await in_transaction(database, make_product)
    assert (product.version, product.category.slug.startswith("shelf-")) == (1, True)
    changed = await in_transaction(
        database,
        lambda s: service.update_product(s, product.id, {"price": Decimal("5.00"), "stock": 3}, expected_version=1),
    )
    assert (changed.price, changed.stock, changed.version) == (Decimal("5.00"), 3, 2)
    await refused(
        database, PreconditionFailed, lambda s: service.update_product(s, product.id, {"stock": 4}, expected_version=1)
    )
    tags = await rows(database, "SELECT tags FROM app.cache_invalidations ORDER BY id DESC LIMIT 1")
    assert set(tags[0][0]) == {"products", "products:stock", f"product:{product.id}"}
    assert await event_types(database) == ["product.changed", "product.changed"]


async def test_a_removed_product_is_gone_and_its_sku_is_free(database: Database) -> None:
    product = await in_transaction(database, lambda s: make_product(s, sku="K-1"))
    await refused(database, SkuTaken, lambda s: make_product(s, sku="k-1"))
    await refused(database, PreconditionFailed, lambda s: service.delete_product(s, product.id, expected_version=7))
    await in_transaction(database, lambda s: service.delete_product(s, product.id, expected_version=1))
    await refused(database, ProductNotFound, lambda s: service.get_product(s, product.id))
    await refused(database, ProductNotFound, lambda s: service.delete_product(s, product.id))
    assert (await in_transaction(database, lambda s: make_product(s, sku="K-1"))).id != product.id


@pytest.mark.parametrize(
    "values",
    [
        {"price": Decimal("-0.01")},
        {"price": Decimal("1e12")},
        {"stock": -1},
        {"stock": 2**31},
        {"name": "  "},
        {"currency": "eur"},
    ],
)
async def test_values_outside_their_bounds_are_refused(database: Database, values: dict[str, Any]) -> None:
    error = await refused(database, InvalidInput, lambda s: make_product(s, **values))
    assert error.field == next(iter(values))


async def test_a_product_has_a_category_that_exists(database: Database) -> None:
    product = await in_transaction(database, make_product)
    await refused(database, UnknownCategory, lambda s: service.update_product(s, product.id, {"category_id": uuid4()}))
    await refused(database, InvalidInput, lambda s: service.update_product(s, product.id, {"version": 9}))
