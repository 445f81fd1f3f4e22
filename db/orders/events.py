"""Facts about orders."""

from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from db.events.event import DomainEvent


class OrderPlaced(DomainEvent):
    """Somebody ordered; the stock is taken."""

    type: ClassVar[str] = "order.placed"

    order_id: UUID
    order_number: str
    user_id: UUID
    total_amount: Decimal
    currency: str
    item_count: int


class OrderStatusChanged(DomainEvent):
    """An order moved on its way."""

    type: ClassVar[str] = "order.status_changed"

    order_id: UUID
    order_number: str
    user_id: UUID
    previous: str
    status: str


class OrderCancelled(DomainEvent):
    """An order was given up; its stock is returned."""

    type: ClassVar[str] = "order.cancelled"

    order_id: UUID
    order_number: str
    user_id: UUID
    previous: str
    reason: str = ""
