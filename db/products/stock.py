"""Stock: taken and returned under row locks, always in the order of product ids, so that no two orders deadlock."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.products.models import Product

_MOVE = text(
    "UPDATE app.products SET stock = stock + moved.quantity, version = version + 1, updated_at = now() "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:quantities AS integer[])) AS moved (id, quantity) "
    "WHERE products.id = moved.id"
)

# Deleted products are told again and again: whoever asks for one does not know yet.
_LEVELS = text(
    "SELECT k.id, coalesce(p.version, 0), CASE WHEN p.deleted_at IS NULL THEN p.stock END "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:versions AS bigint[])) AS k (id, version) "
    "LEFT JOIN app.products p ON p.id = k.id "
    "WHERE p.id IS NULL OR p.deleted_at IS NOT NULL OR p.version > k.version"
)


@dataclass(frozen=True, slots=True)
class Level:
    """How much there is of a product. `stock` None: there is no such product, or no more."""

    product_id: UUID
    version: int
    stock: int | None


async def levels(session: AsyncSession, known: Mapping[UUID, int]) -> list[Level]:
    """Of these products (→ the version that is known, 0 for none) those that are newer, or gone."""
    rows = await session.execute(_LEVELS, {"ids": list(known), "versions": list(known.values())})
    return [Level(*row) for row in rows]


async def lock(session: AsyncSession, product_ids: list[UUID]) -> dict[UUID, Product]:
    """Live products by id, locked until the transaction ends, as they are now."""
    rows = await session.scalars(
        select(Product)
        .where(Product.id.in_(product_ids), Product.deleted_at.is_(None))
        .order_by(Product.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {product.id: product for product in rows}


async def move(session: AsyncSession, quantities: Mapping[UUID, int]) -> None:
    """Add to the stock of locked products (negative: take). The database refuses to go below zero."""
    await session.execute(_MOVE, {"ids": list(quantities), "quantities": list(quantities.values())})
