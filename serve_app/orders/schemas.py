"""Orders over HTTP."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from serve_app.schemas import Money, RequestSchema, ResourceSchema, ResponseSchema, Whole

MAX_LINES = 100
"""Bounds the rows that one order locks."""
MAX_QUANTITY = 10_000


class OrderStatus(StrEnum):
    """Where an order is on its way."""

    PENDING = "pending"
    PAID = "paid"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


class OrderLineCreate(RequestSchema):
    """How many of what."""

    product_id: UUID
    quantity: Annotated[Whole, Field(ge=1, le=MAX_QUANTITY)]
    expected_price: Annotated[
        Money | None, Field(description="What one costs as far as you know; if it does not, 409 `price_changed`.")
    ] = None
    expected_currency: Annotated[
        str | None, Field(pattern=r"^[A-Z]{3}$", description="What `expected_price` is in.")
    ] = None


class OrderCreate(RequestSchema):
    """A new order. Prices are the shop's, not the caller's, who can say which ones they have seen."""

    lines: Annotated[list[OrderLineCreate], Field(min_length=1, max_length=MAX_LINES)]
    note: Annotated[str, Field(max_length=1000)] = ""


class OrderStatusChange(RequestSchema):
    """The status to move an order to."""

    status: OrderStatus
    reason: Annotated[str, Field(max_length=1000)] = ""


class OrderCancel(RequestSchema):
    """Why an order is given up."""

    reason: Annotated[str, Field(max_length=1000)] = ""


class OrderItem(ResponseSchema):
    """One line of an order, at the price it was sold for."""

    id: UUID
    position: int
    product_id: UUID
    product_name: str
    sku: str
    quantity: int
    unit_price: Money
    line_total: Money


class OrderHistoryEntry(ResponseSchema):
    """One change of status."""

    status: OrderStatus
    previous: OrderStatus | None
    at: datetime
    reason: str


class OrderSummary(ResourceSchema):
    """An order in a list."""

    id: UUID
    order_number: str = Field(description="What people call it.", examples=["M-100042"])
    user_id: UUID
    username: str | None = Field(description="Whose it is: said of other people's orders, and in lists of everybody's.")
    status: OrderStatus
    total_amount: Money
    currency: str
    item_count: int = Field(description="Lines in the order.")
    note: str
    version: int
    created_at: datetime
    updated_at: datetime


class Order(OrderSummary):
    """An order with its lines and its history, oldest first."""

    items: list[OrderItem]
    history: list[OrderHistoryEntry]
