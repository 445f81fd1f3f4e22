"""The catalogue's rules. Changes void what was cached by tags: of lists, of stock, and of each product."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db import caches, events
from db.constraints import violated
from db.errors import InvalidInput, PreconditionFailed
from db.pagination import Cursor, CursorPage, Page, choose_sort, fetch_cursor_page, fetch_page
from db.products import repository
from db.products.errors import ProductNotFound, SkuTaken, UnknownCategory
from db.products.events import ProductChanged
from db.products.models import Product
from db.products.repository import ProductFilter

LIST_TAG = "products"
"""On every cached list: void when a product appears, changes or goes."""

STOCK_TAG = "products:stock"
"""On lists whose products or order depend on stock: void by every order."""

FIELDS = frozenset(
    {"sku", "name", "description", "category_id", "price", "currency", "stock", "image_url", "attributes"}
)
MAX_PRICE = Decimal("9999999999.99")
"""Fits the column, numeric(12, 2)."""


def product_tag(product_id: UUID | str) -> str:
    """The cache tag of whatever was made from one product; lists carry the tags of all that they show."""
    return f"product:{product_id}"


def stock_tags(product_ids: Iterable[UUID]) -> tuple[str, ...]:
    """What is void when the stock of these products changes and nothing else of them does."""
    return (STOCK_TAG, *map(product_tag, product_ids))


async def list_products(
    session: AsyncSession,
    wanted: ProductFilter | None = None,
    *,
    sort: str | None = None,
    order: str | None = None,
    page: int = 1,
    limit: int = 20,
    count: bool = True,
) -> Page[Product]:
    """One numbered page. `sort` is name, price, created_at or stock, with `-` for descending."""
    statement = await repository.filtered(session, wanted or ProductFilter())
    chosen = choose_sort(repository.SORTS, sort, order, "name")
    return await fetch_page(session, statement, chosen, page=page, limit=limit, count=count)


async def list_products_by_cursor(
    session: AsyncSession,
    wanted: ProductFilter | None = None,
    *,
    sort: str | None = None,
    order: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 20,
) -> CursorPage[Product]:
    """The same by cursor."""
    statement = await repository.filtered(session, wanted or ProductFilter())
    chosen = choose_sort(repository.SORTS, sort, order, "name")
    return await fetch_cursor_page(session, statement, chosen, cursor=cursor, limit=limit)


async def get_product(session: AsyncSession, product_id: UUID) -> Product:
    """One product with its category. Raises ProductNotFound."""
    product = await repository.live_product(session, product_id)
    if product is None:
        raise ProductNotFound
    return product


async def create_product(
    session: AsyncSession,
    *,
    sku: str,
    name: str,
    category_id: UUID,
    price: Decimal,
    description: str = "",
    currency: str = "EUR",
    stock: int = 0,
    image_url: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    org_id: UUID | None = None,
) -> Product:
    """Add a product. Raises SkuTaken, UnknownCategory, InvalidInput."""
    values = {"sku": sku, "name": name, "price": price, "currency": currency, "stock": stock}
    product = Product(
        **_checked(values),
        category_id=category_id,
        description=description,
        image_url=image_url,
        attributes=dict(attributes or {}),
        org_id=org_id,
    )
    session.add(product)
    await _flush(session)
    return await _changed(session, product.id, "created")


async def update_product(
    session: AsyncSession, product_id: UUID, changes: Mapping[str, Any], *, expected_version: int | None = None
) -> Product:
    """Change a product; `changes` holds only what changes (FIELDS).

    Raises ProductNotFound, PreconditionFailed (another version), SkuTaken, UnknownCategory, InvalidInput.
    """
    if unknown := sorted(changes.keys() - FIELDS):
        raise InvalidInput("this cannot be changed", field=unknown[0])
    product = await get_product(session, product_id)
    if expected_version is not None and product.version != expected_version:
        raise PreconditionFailed
    for name, value in _checked(changes).items():
        setattr(product, name, value)
    await _flush(session)
    return await _changed(session, product_id, "updated")


async def delete_product(session: AsyncSession, product_id: UUID, *, expected_version: int | None = None) -> None:
    """Take a product out of the catalogue; orders keep it. Raises ProductNotFound, PreconditionFailed."""
    product = await get_product(session, product_id)
    if expected_version is not None and product.version != expected_version:
        raise PreconditionFailed
    product.deleted_at = func.now()
    await session.flush()
    await caches.invalidate(session, tags=(LIST_TAG, *stock_tags((product_id,))))
    await events.record(session, ProductChanged(product_id=product_id, action="deleted"))


async def _changed(session: AsyncSession, product_id: UUID, action: str) -> Product:
    await caches.invalidate(session, tags=(LIST_TAG, *stock_tags((product_id,))))
    await events.record(session, ProductChanged(product_id=product_id, action=action))
    return await get_product(session, product_id)


async def _flush(session: AsyncSession) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        match violated(error):
            case "uq_products_sku_live":
                raise SkuTaken from error
            case "fk_products_category_id":
                raise UnknownCategory(field="category_id") from error
        raise


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, if each is acceptable. Raises InvalidInput."""
    checked = dict(values)
    for name in ("sku", "name"):
        if name in checked:
            checked[name] = checked[name].strip()
            if not checked[name]:
                raise InvalidInput("it must not be empty", field=name)
    if "price" in checked and not 0 <= checked["price"] <= MAX_PRICE:
        raise InvalidInput(f"a price is between 0 and {MAX_PRICE}", field="price")
    if "stock" in checked and not 0 <= checked["stock"] < 2**31:
        raise InvalidInput("stock is a whole number from 0", field="stock")
    if "currency" in checked and not (len(checked["currency"]) == 3 and checked["currency"].isupper()):
        raise InvalidInput("a currency code such as EUR", field="currency")
    return checked
