"""Orders."""

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import User
from db.orders import service
from db.orders.models import Order
from db.orders.service import OrderLine
from db.orders.status import NEXT, OrderStatus
from db.products.models import Product
from tests.factories.auth import make_user
from tests.factories.products import make_product


async def make_order(
    session: AsyncSession,
    user: User | None = None,
    products: list[Product] | None = None,
    *,
    quantity: int = 1,
    status: OrderStatus = OrderStatus.PENDING,
    note: str = "",
) -> Order:
    """An order that was placed (stock is taken) and moved step by step to `status`."""
    owner = user or await make_user(session)
    bought = products or [await make_product(session)]
    lines = [OrderLine(product.id, quantity) for product in bought]
    order = await service.place_order(session, user_id=owner.id, lines=lines, note=note)
    if status is OrderStatus.CANCELLED:
        return await service.cancel_order(session, order.id, cancelled_by=owner.id)
    while order.status != status:
        order = await service.change_status(session, order.id, NEXT[OrderStatus(order.status)], changed_by=None)
    return order
