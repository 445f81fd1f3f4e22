"""The catalogue."""

import itertools
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from db.products import service
from db.products.models import Category, Product

_numbers = itertools.count(1)


async def make_category(session: AsyncSession, **values: Any) -> Category:
    """A shelf."""
    number = next(_numbers)
    row = Category(**({"slug": f"shelf-{number}", "name": f"Shelf {number}", "position": number} | values))
    session.add(row)
    await session.flush()
    return row


async def make_product(session: AsyncSession, category: Category | None = None, **values: Any) -> Product:
    """A product: 10 in stock at 9.90 unless said otherwise."""
    number = next(_numbers)
    shelf = category or await make_category(session)
    defaults: dict[str, Any] = {
        "sku": f"SKU-{number:05}",
        "name": f"Product {number}",
        "price": Decimal("9.90"),
        "stock": 10,
    }
    return await service.create_product(session, category_id=shelf.id, **(defaults | values))
