"""The life of an order. Pure."""

from enum import StrEnum


class OrderStatus(StrEnum):
    """Where an order is on its way."""

    PENDING = "pending"
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


NEXT: dict[OrderStatus, OrderStatus] = {
    OrderStatus.PENDING: OrderStatus.PAID,
    OrderStatus.PAID: OrderStatus.PACKED,
    OrderStatus.PACKED: OrderStatus.SHIPPED,
    OrderStatus.SHIPPED: OrderStatus.DELIVERED,
}
"""The ordinary way, one step at a time."""

CANCELLABLE = frozenset({OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.PACKED})
"""Before the parcel has left."""

OPEN = frozenset(OrderStatus) - {OrderStatus.DELIVERED, OrderStatus.CANCELLED}


def reachable(status: OrderStatus) -> frozenset[OrderStatus]:
    """Where an order may go from here."""
    ways = {NEXT[status]} if status in NEXT else set()
    if status in CANCELLABLE:
        ways.add(OrderStatus.CANCELLED)
    return frozenset(ways)
