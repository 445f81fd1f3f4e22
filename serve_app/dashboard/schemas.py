"""The figures of the dashboard. Live ones also arrive on channel `dashboard:live`."""

from datetime import datetime

from pydantic import Field

from serve_app.orders.schemas import OrderSummary
from serve_app.schemas import Money, ResponseSchema


class Dashboard(ResponseSchema):
    """How the shop and the system are doing. Counts of orders are the caller's own without `orders:manage`."""

    scope: str = Field(description="`all`, or `own` for people without `orders:manage`.", examples=["all"])
    products: int
    users: int | None = Field(description="null without `users:read`.")
    orders_total: int
    orders_today: int
    orders_open: int
    orders_by_status: dict[str, int]
    revenue_today: Money
    currency: str
    conversations: int
    unread_notifications: int
    connections: int | None = Field(description="Live WebSocket connections; null when the actors do not answer.")
    jobs_running: int
    jobs_waiting: int
    recent_orders: list[OrderSummary]
    generated_at: datetime
