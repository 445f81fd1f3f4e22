"""The figures of the dashboard. Live ones also arrive on channels `dashboard:live` and `sales:live`."""

from datetime import date, datetime

from pydantic import Field

from serve_app.orders.schemas import OrderSummary
from serve_app.schemas import Money, ResponseSchema


class DayFigures(ResponseSchema):
    """What was ordered on one day (UTC); cancelled orders are not counted."""

    day: date
    orders: int
    revenue: Money


class Dashboard(ResponseSchema):
    """How the shop and the system are doing. Orders and conversations are the caller's own without `dashboard:read`."""

    scope: str = Field(description="`all`, or `own` for people without `dashboard:read`.", examples=["all"])
    products: int
    products_low: int = Field(description="Products of which little is left.")
    users: int | None = Field(description="null without `dashboard:read`.")
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
    daily: list[DayFigures] = Field(description="The last two weeks, oldest first; the last is today.")
    generated_at: datetime
