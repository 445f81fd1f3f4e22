"""The shelves of the catalogue. Two levels at most: lists of a category hold its direct children's products, too."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db import caches
from db.constraints import violated
from db.errors import InvalidInput, PreconditionFailed
from db.products import repository
from db.products.errors import CategoryInUse, CategoryNotFound, SlugTaken, UnknownCategory
from db.products.models import Category
from db.products.service import LIST_TAG

CATEGORIES_TAG = "categories"
"""On the list of categories."""

FIELDS = frozenset({"slug", "name", "description", "parent_id", "position"})


def category_tag(category_id: UUID | str) -> str:
    """The cache tag of one category, on each product that shows it."""
    return f"category:{category_id}"


async def list_categories(session: AsyncSession) -> Sequence[Category]:
    """All categories in the order of the shelves."""
    return await repository.categories(session)


async def get_category(session: AsyncSession, category_id: UUID, *, lock: bool = False) -> Category:
    """One category. `lock`: nobody else changes it meanwhile. Raises CategoryNotFound."""
    category = await session.get(Category, category_id, populate_existing=True, with_for_update=lock or None)
    if category is None:
        raise CategoryNotFound
    return category


async def create_category(
    session: AsyncSession,
    *,
    slug: str,
    name: str,
    description: str = "",
    parent_id: UUID | None = None,
    position: int = 0,
) -> Category:
    """Add a category. Raises SlugTaken, UnknownCategory (its parent), InvalidInput."""
    values = {"slug": slug, "name": name, "description": description, "parent_id": parent_id, "position": position}
    category = Category(**_checked(values))
    if parent_id is not None:
        await _refuse_a_third_level(session, parent_id)
    session.add(category)
    await _flush(session)
    await caches.invalidate(session, tags=(CATEGORIES_TAG,))
    return category


async def update_category(
    session: AsyncSession, category_id: UUID, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> Category:
    """Change a category; `changes` holds only what changes (FIELDS).

    Raises CategoryNotFound, PreconditionFailed (another version), SlugTaken, UnknownCategory (its parent),
    InvalidInput.
    """
    if unknown := sorted(changes.keys() - FIELDS):
        raise InvalidInput("this cannot be changed", field=unknown[0])
    category = await get_category(session, category_id, lock=True)
    if expected_version is not None and category.version != expected_version:
        raise PreconditionFailed
    if changes.get("parent_id") is not None:
        await _refuse_a_third_level(session, changes["parent_id"], below=category_id)
    for name, value in _checked(changes).items():
        setattr(category, name, value)
    await _flush(session)
    await _void(session, category_id)
    return category


async def delete_category(session: AsyncSession, category_id: UUID, *, expected_version: int | None = None) -> None:
    """Remove an empty category. Raises CategoryNotFound, PreconditionFailed, CategoryInUse.

    Products that were taken out of the catalogue count: orders show them.
    """
    category = await get_category(session, category_id)
    if expected_version is not None and category.version != expected_version:
        raise PreconditionFailed
    if await session.scalar(select(exists().where(Category.parent_id == category_id))):
        raise CategoryInUse("There are categories below this one: remove or move them first.")
    await session.delete(category)
    try:
        await session.flush()
    except IntegrityError as error:  # a product is in it
        if violated(error) == "fk_products_category_id":
            raise CategoryInUse from error
        raise
    await _void(session, category_id)


async def _void(session: AsyncSession, category_id: UUID) -> None:
    """Products show their category, and are found by it."""
    await caches.invalidate(session, tags=(CATEGORIES_TAG, LIST_TAG, category_tag(category_id)))


async def _refuse_a_third_level(session: AsyncSession, parent_id: UUID, *, below: UUID | None = None) -> None:
    """Both are held until the end of the transaction, so that nobody puts the parent below another one meanwhile."""
    wanted = select(Category.parent_id).where(Category.id == parent_id).with_for_update()
    found = (await session.execute(wanted)).one_or_none()
    if found is None:
        raise UnknownCategory(field="parent_id")
    if found.parent_id is not None or parent_id == below:
        raise InvalidInput("a category that is itself below none", field="parent_id")
    if below is not None and await session.scalar(select(exists().where(Category.parent_id == below))):
        raise InvalidInput("it has categories below it, so it can be below none", field="parent_id")


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        match violated(error):
            case "uq_categories_slug":
                raise SlugTaken from error
            case "fk_categories_parent_id":
                raise UnknownCategory(field="parent_id") from error
        raise


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checked = dict(values)
    for name in ("slug", "name"):
        if name in checked:
            checked[name] = checked[name].strip()
            if not checked[name]:
                raise InvalidInput("it must not be empty", field=name)
    return checked
