"""The shelves of the catalogue."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from db.errors import DomainError, InvalidInput, PreconditionFailed
from db.products import categories, service
from db.products.errors import CategoryInUse, CategoryNotFound, SlugTaken, UnknownCategory
from db.session import Database
from tests.factories.products import make_category, make_product
from tests.fixtures.transactions import in_transaction, refused, rows


async def void(database: Database) -> set[str]:
    """Every cache tag that was ever void."""
    return {tag for (tags,) in await rows(database, "SELECT tags FROM app.cache_invalidations") for tag in tags}


async def test_they_come_in_the_order_of_the_shelves(database: Database) -> None:
    async with database.transaction() as session:
        for position, slug in enumerate(["c", "a", "b"]):
            await make_category(session, slug=slug, name=slug, position=position)
    assert [c.slug for c in await in_transaction(database, categories.list_categories)] == ["c", "a", "b"]


async def test_one_is_made_changed_and_removed(database: Database) -> None:
    made = await in_transaction(database, lambda s: categories.create_category(s, slug=" lamps ", name=" Lamps "))
    assert (made.slug, made.name, made.version) == ("lamps", "Lamps", 1)
    assert await void(database) == {"categories"}
    changed = await in_transaction(
        database, lambda s: categories.update_category(s, made.id, {"name": "Lights"}, expected_version=1)
    )
    assert (changed.name, changed.slug, changed.version) == ("Lights", "lamps", 2)
    assert await void(database) == {"categories", "products", f"category:{made.id}"}
    await refused(
        database,
        PreconditionFailed,
        lambda s: categories.update_category(s, made.id, {"name": "x"}, expected_version=1),
    )
    await refused(database, PreconditionFailed, lambda s: categories.delete_category(s, made.id, expected_version=1))
    await in_transaction(database, lambda s: categories.delete_category(s, made.id, expected_version=2))
    await refused(database, CategoryNotFound, lambda s: categories.get_category(s, made.id))
    await refused(database, CategoryNotFound, lambda s: categories.delete_category(s, made.id))


async def test_one_in_use_stays(database: Database) -> None:
    async with database.transaction() as session:
        parent = await make_category(session)
        child = await make_category(session, parent_id=parent.id)
        product = await make_product(session, child)
    await refused(database, CategoryInUse, lambda s: categories.delete_category(s, parent.id))
    await refused(database, CategoryInUse, lambda s: categories.delete_category(s, child.id))
    await in_transaction(database, lambda s: service.delete_product(s, product.id))
    await refused(database, CategoryInUse, lambda s: categories.delete_category(s, child.id))
    assert len(await in_transaction(database, categories.list_categories)) == 2


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"slug": "taken"}, SlugTaken),
        ({"slug": " "}, InvalidInput),
        ({"name": ""}, InvalidInput),
        ({"parent_id": uuid4()}, UnknownCategory),
        ({"version": 9}, InvalidInput),
    ],
)
async def test_what_cannot_be_is_refused(database: Database, values: dict[str, Any], error: type[DomainError]) -> None:
    async with database.transaction() as session:
        await make_category(session, slug="taken")
        other = await make_category(session)
    await refused(database, error, lambda s: categories.update_category(s, other.id, values))
    if "version" not in values:
        await refused(database, error, lambda s: categories.create_category(s, **({"slug": "b", "name": "B"} | values)))


async def test_there_are_two_levels(database: Database) -> None:
    async with database.transaction() as session:
        top = await make_category(session)
        below = await make_category(session, parent_id=top.id)
        other = await make_category(session)
    for category, parent in ((other, below), (top, other), (other, other)):
        await refused(
            database,
            InvalidInput,
            lambda s, c=category, p=parent: categories.update_category(s, c.id, {"parent_id": p.id}),
        )
    await refused(
        database, InvalidInput, lambda s: categories.create_category(s, slug="x", name="X", parent_id=below.id)
    )
    moved = await in_transaction(database, lambda s: categories.update_category(s, below.id, {"parent_id": None}))
    assert moved.parent_id is None


async def test_two_moves_at_once_make_no_third_level(database: Database) -> None:
    async with database.transaction() as session:
        first, second, third = [await make_category(session) for _ in range(3)]

    async def move(what: Any, below: Any) -> object:
        try:
            return await in_transaction(
                database, lambda s: categories.update_category(s, what.id, {"parent_id": below.id})
            )
        except DomainError as error:
            return error

    await asyncio.gather(move(second, first), move(third, second))
    parents = {c.id: c.parent_id for c in await in_transaction(database, categories.list_categories)}
    assert all(parent is None or parents[parent] is None for parent in parents.values())
