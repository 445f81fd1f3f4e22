"""Placing orders and moving them. Every step publishes on `orders:updates#<user id>` in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db import caches, events
from db.errors import InvalidInput, PreconditionFailed
from db.notifications import service as notifications
from db.orders import repository
from db.orders.errors import (
    MixedCurrencies,
    OrderNotFound,
    OutOfStock,
    PriceChanged,
    ProductUnavailable,
    StatusNotReachable,
)
from db.orders.events import OrderCancelled, OrderPlaced, OrderStatusChanged
from db.orders.models import Order, OrderItem, OrderStatusChange
from db.orders.status import NEXT, OrderStatus, reachable
from db.outbox.service import publish
from db.pagination import Cursor, CursorPage, Page, choose_sort, fetch_cursor_page, fetch_page
from db.products import stock
from db.products.models import Product
from db.products.service import stock_tags

MAX_LINES = 100
"""Bounds the rows that one order locks."""

MAX_QUANTITY = 10_000
MAX_NOTE = 1000
MAX_TOTAL = Decimal("9999999999.99")

TOLD = {
    OrderStatus.SHIPPED: "is on its way",
    OrderStatus.DELIVERED: "has arrived",
    OrderStatus.CANCELLED: "is cancelled",
}
"""Steps that are worth a notification; the others are only published live."""


@dataclass(frozen=True, slots=True)
class OrderLine:
    """How many of what. Lines of the same product are taken together.

    `expected_price` and `expected_currency`: what one was seen to cost. None: at any price.
    """

    product_id: UUID
    quantity: int
    expected_price: Decimal | None = None
    expected_currency: str | None = None


def updates_channel(user_id: UUID) -> str:
    """Where a customer hears of their orders."""
    return f"orders:updates#{user_id}"


async def place_order(
    session: AsyncSession,
    *,
    user_id: UUID,
    lines: Sequence[OrderLine],
    note: str = "",
    org_id: UUID | None = None,
    placed_by: UUID | None = None,
) -> Order:
    """Place an order: stock is taken in this transaction, or nothing happens. Returns it with lines and history.

    `placed_by` is who did it, when that is not whose order it is.

    Raises InvalidInput, ProductUnavailable, OutOfStock, PriceChanged, MixedCurrencies.
    """
    wanted = _checked_lines(lines)
    if len(note) > MAX_NOTE:
        raise InvalidInput(f"{MAX_NOTE} characters at most", field="note")
    products = await stock.lock(session, list(wanted))
    _check_available(wanted, products)
    _check_prices(lines, products)
    currencies = {product.currency for product in products.values()}
    if len(currencies) > 1:
        raise MixedCurrencies
    total = sum((products[product_id].price * quantity for product_id, quantity in wanted.items()), Decimal(0))
    if total > MAX_TOTAL:
        raise InvalidInput("the total is too large for one order", field="lines")
    await stock.move(session, {product_id: -quantity for product_id, quantity in wanted.items()})
    order = Order(
        user_id=user_id,
        org_id=org_id,
        status=OrderStatus.PENDING.value,
        currency=currencies.pop(),
        total_amount=total,
        item_count=len(wanted),
        note=note,
    )
    session.add(order)
    await session.flush()
    session.add_all(
        _item(order.id, position, products[product_id], quantity)
        for position, (product_id, quantity) in enumerate(wanted.items(), start=1)
    )
    step = await _write_step(session, order, None, OrderStatus.PENDING, changed_by=placed_by or user_id, reason="")
    await _publish_step(session, order, step)
    await caches.invalidate(session, tags=stock_tags(wanted))
    await events.record(
        session,
        OrderPlaced(
            order_id=order.id,
            order_number=order.order_number,
            user_id=user_id,
            total_amount=total,
            currency=order.currency,
            item_count=order.item_count,
        ),
    )
    return await get_order(session, order.id)


async def get_order(session: AsyncSession, order_id: UUID, *, user_id: UUID | None = None) -> Order:
    """One order with lines and history; with `user_id`, only if it is theirs. Raises OrderNotFound."""
    order = await repository.full_order(session, order_id)
    if order is None or (user_id is not None and order.user_id != user_id):
        raise OrderNotFound
    return order


async def list_orders(
    session: AsyncSession,
    *,
    user_id: UUID | None = None,
    status: str | None = None,
    org_id: UUID | None = None,
    number: int | None = None,
    sort: str | None = None,
    page: int = 1,
    limit: int = 20,
    count: bool = True,
) -> Page[Order]:
    """One numbered page, newest first; without `user_id`, everybody's. Lines are not loaded."""
    statement = repository.filtered(user_id=user_id, status=_status(status), org_id=org_id, number=number)
    chosen = choose_sort(repository.SORTS, sort, None, "-created_at")
    return await fetch_page(session, statement, chosen, page=page, limit=limit, count=count)


async def list_orders_by_cursor(
    session: AsyncSession,
    *,
    user_id: UUID | None = None,
    status: str | None = None,
    org_id: UUID | None = None,
    number: int | None = None,
    sort: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 20,
) -> CursorPage[Order]:
    """The same by cursor."""
    statement = repository.filtered(user_id=user_id, status=_status(status), org_id=org_id, number=number)
    chosen = choose_sort(repository.SORTS, sort, None, "-created_at")
    return await fetch_cursor_page(session, statement, chosen, cursor=cursor, limit=limit)


async def change_status(
    session: AsyncSession,
    order_id: UUID,
    status: str,
    *,
    changed_by: UUID | None,
    reason: str = "",
    expected_version: int | None = None,
) -> Order:
    """Move an order one step, or cancel it. Raises OrderNotFound, StatusNotReachable, PreconditionFailed."""
    wanted = _status(status)
    order = await repository.locked_order(session, order_id)
    if order is None or wanted is None:
        raise OrderNotFound
    if expected_version is not None and order.version != expected_version:
        raise PreconditionFailed
    return await _move(session, order, wanted, changed_by=changed_by, reason=reason)


async def cancel_order(
    session: AsyncSession,
    order_id: UUID,
    *,
    cancelled_by: UUID | None,
    user_id: UUID | None = None,
    reason: str = "",
) -> Order:
    """Give an order up and return its stock; with `user_id`, only if it is theirs.

    Raises OrderNotFound, and StatusNotReachable once the parcel has left.
    """
    order = await repository.locked_order(session, order_id)
    if order is None or (user_id is not None and order.user_id != user_id):
        raise OrderNotFound
    return await _move(session, order, OrderStatus.CANCELLED, changed_by=cancelled_by, reason=reason)


async def advance_order(session: AsyncSession, order_id: UUID) -> OrderStatus | None:
    """Take the ordinary next step by itself (the demo does). Returns the new status, None at the end of the way."""
    order = await repository.locked_order(session, order_id)
    if order is None:
        raise OrderNotFound
    following = NEXT.get(OrderStatus(order.status))
    if following is not None:
        await _move(session, order, following, changed_by=None, reason="")
    return following


async def _move(
    session: AsyncSession, order: Order, status: OrderStatus, *, changed_by: UUID | None, reason: str
) -> Order:
    previous = OrderStatus(order.status)
    if status not in reachable(previous):
        raise StatusNotReachable(
            f"an order that is {previous.value} cannot become {status.value}",
            details={"status": previous.value, "reachable": sorted(way.value for way in reachable(previous))},
        )
    order.status = status.value
    step = await _write_step(session, order, previous, status, changed_by=changed_by, reason=reason[:MAX_NOTE])
    if status is OrderStatus.CANCELLED:
        await _return_stock(session, order)
    await _publish_step(session, order, step)
    if status in TOLD:
        await notifications.notify(
            session,
            order.user_id,
            kind="order.status",
            title=f"Order {order.order_number} {TOLD[status]}",
            data={"order_id": str(order.id), "order_number": order.order_number, "status": status.value},
        )
    if status is OrderStatus.CANCELLED:
        await events.record(
            session,
            OrderCancelled(
                order_id=order.id,
                order_number=order.order_number,
                user_id=order.user_id,
                previous=previous.value,
                reason=reason,
            ),
        )
    await events.record(
        session,
        OrderStatusChanged(
            order_id=order.id,
            order_number=order.order_number,
            user_id=order.user_id,
            previous=previous.value,
            status=status.value,
        ),
    )
    return await get_order(session, order.id)


async def _return_stock(session: AsyncSession, order: Order) -> None:
    """Give the lines back; a product that left the catalogue meanwhile has no stock to return to."""
    returned = {item.product_id: item.quantity for item in order.items}
    still_there = await stock.lock(session, list(returned))
    await stock.move(session, {product_id: returned[product_id] for product_id in still_there})
    await caches.invalidate(session, tags=stock_tags(returned))


async def _write_step(
    session: AsyncSession,
    order: Order,
    previous: OrderStatus | None,
    status: OrderStatus,
    *,
    changed_by: UUID | None,
    reason: str,
) -> OrderStatusChange:
    step = OrderStatusChange(
        order_id=order.id,
        previous=previous.value if previous else None,
        status=status.value,
        changed_by=changed_by,
        reason=reason,
    )
    session.add(step)
    await session.flush()
    return step


async def _publish_step(session: AsyncSession, order: Order, step: OrderStatusChange) -> None:
    at: datetime = step.at
    await publish(
        session,
        updates_channel(order.user_id),
        {
            "type": "order.status",
            "order_id": str(order.id),
            "order_number": order.order_number,
            "status": step.status,
            "previous": step.previous,
            "at": at.isoformat(),
        },
    )


def _item(order_id: UUID, position: int, product: Product, quantity: int) -> OrderItem:
    return OrderItem(
        order_id=order_id,
        position=position,
        product_id=product.id,
        product_name=product.name,
        sku=product.sku,
        unit_price=product.price,
        quantity=quantity,
        line_total=product.price * quantity,
    )


def _checked_lines(lines: Sequence[OrderLine]) -> dict[UUID, int]:
    """Quantities by product, in the order given. Raises InvalidInput."""
    if not 1 <= len(lines) <= MAX_LINES:
        raise InvalidInput(f"an order has 1 to {MAX_LINES} lines", field="lines")
    wanted: dict[UUID, int] = {}
    for index, line in enumerate(lines):
        wanted[line.product_id] = wanted.get(line.product_id, 0) + line.quantity
        if line.quantity < 1 or wanted[line.product_id] > MAX_QUANTITY:
            raise InvalidInput(f"a quantity is between 1 and {MAX_QUANTITY}", field=f"lines.{index}.quantity")
    return wanted


def _check_available(wanted: dict[UUID, int], products: dict[UUID, Product]) -> None:
    if missing := [str(product_id) for product_id in wanted if product_id not in products]:
        raise ProductUnavailable(details={"product_ids": missing})
    short = [
        {"product_id": str(product_id), "name": products[product_id].name, "available": products[product_id].stock}
        for product_id, quantity in wanted.items()
        if products[product_id].stock < quantity
    ]
    if short:
        raise OutOfStock(details={"lines": short})


def _status(status: str | None) -> OrderStatus | None:
    try:
        return OrderStatus(status) if status is not None else None
    except ValueError as error:
        raise InvalidInput(f"status is one of {', '.join(OrderStatus)}", field="status") from error


def _check_prices(lines: Sequence[OrderLine], products: dict[UUID, Product]) -> None:
    """The products are locked: what is compared here is what will be charged."""
    changed: dict[UUID, Product] = {}
    for line in lines:
        product = products[line.product_id]
        if line.expected_price not in (None, product.price) or line.expected_currency not in (None, product.currency):
            changed[product.id] = product
    if changed:
        now = [
            {"product_id": str(one.id), "name": one.name, "price": f"{one.price:.2f}", "currency": one.currency}
            for one in changed.values()
        ]
        raise PriceChanged(details={"lines": now})
