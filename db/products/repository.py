"""Finding products."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from db.errors import InvalidInput
from db.products.models import Category, Product
from db.search import check_query, matches

LOW_STOCK = 10
"""Of a product with less than this, little is left."""

SORTS: Mapping[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "name": (Product.name, Product.id),
    "price": (Product.price, Product.id),
    "created_at": (Product.created_at, Product.id),
    "stock": (Product.stock, Product.id),
}


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a list of products is narrowed by. `category` is a slug; its direct children count too."""

    category: str | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool | None = None
    low: bool | None = None
    q: str | None = None
    org_id: UUID | None = None


async def filtered(session: AsyncSession, wanted: ProductFilter) -> Select[Product]:
    """Live products that match, with their category."""
    if wanted.price_min is not None and wanted.price_max is not None and wanted.price_min > wanted.price_max:
        raise InvalidInput("price_min is above price_max", field="price_min")
    statement = select(Product).where(Product.deleted_at.is_(None)).options(joinedload(Product.category))
    if wanted.category is not None:
        shelf = select(Category.id).where(Category.slug == wanted.category).scalar_subquery()
        below = select(Category.id).where(or_(Category.id == shelf, Category.parent_id == shelf))
        statement = statement.where(Product.category_id.in_(below))
    if wanted.price_min is not None:
        statement = statement.where(Product.price >= wanted.price_min)
    if wanted.price_max is not None:
        statement = statement.where(Product.price <= wanted.price_max)
    if wanted.in_stock is not None:
        statement = statement.where(Product.stock > 0 if wanted.in_stock else Product.stock == 0)
    if wanted.low is not None:
        statement = statement.where(Product.stock < LOW_STOCK if wanted.low else Product.stock >= LOW_STOCK)
    if wanted.org_id is not None:
        statement = statement.where(Product.org_id == wanted.org_id)
    if wanted.q:
        query = check_query(wanted.q)
        # Spelled as the index is, or the planner does not see that it fits.
        words = func.to_tsvector(literal_column("'simple'"), Product.name + literal_column("' '") + Product.description)
        found = words.op("@@", is_comparison=True)(func.websearch_to_tsquery(literal_column("'simple'"), query))
        statement = statement.where(or_(found, await matches(session, query, Product.name)))
    return statement


async def live_product(session: AsyncSession, product_id: UUID) -> Product | None:
    """One product with its category, unless it is removed."""
    wanted = (
        select(Product)
        .where(Product.id == product_id, Product.deleted_at.is_(None))
        .options(joinedload(Product.category))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).one_or_none()


async def categories(session: AsyncSession) -> Sequence[Category]:
    """All categories in the order of the shelves."""
    return (await session.scalars(select(Category).order_by(Category.position, Category.name))).all()
