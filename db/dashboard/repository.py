"""The figures, in few queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import User
from db.conversations.models import Conversation, Participant
from db.notifications.service import unread_count
from db.orders.models import Order
from db.orders.status import OPEN, OrderStatus
from db.products.models import Product
from db.products.repository import LOW_STOCK

CURRENCY = "EUR"
"""Revenue is added up in one currency: the shop's. Orders in others count as orders."""


@dataclass(frozen=True, slots=True)
class DailyRevenue:
    """What was ordered on one day (UTC), cancelled orders not counted."""

    day: date
    orders: int
    revenue: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """What the first page shows. Orders are the given user's, or everybody's."""

    products: int
    products_low: int
    users: int
    conversations: int
    orders_total: int
    orders_today: int
    orders_open: int
    orders_by_status: dict[str, int]
    revenue_today: Decimal
    currency: str
    unread_notifications: int
    recent_orders: Sequence[Order]
    daily: Sequence[DailyRevenue]
    generated_at: datetime


async def figures(
    session: AsyncSession, *, viewer_id: UUID, only_own: bool, recent: int = 8, days: int = 14
) -> Figures:
    """Figures for one viewer; `only_own` narrows orders, revenue and conversations to the viewer's."""
    whose: list[ColumnElement[bool]] = [Order.user_id == viewer_id] if only_own else []
    taking_part = select(Participant.conversation_id).where(Participant.user_id == viewer_id)
    whose_talks: list[ColumnElement[bool]] = [Conversation.id.in_(taking_part)] if only_own else []
    by_status = {
        status: int(count)
        for status, count in await session.execute(
            select(Order.status, func.count()).where(*whose).group_by(Order.status)
        )
    }
    daily = await daily_revenue(session, user_id=viewer_id if only_own else None, days=days)
    now: datetime = (await session.execute(select(func.now()))).scalar_one()
    today = next((entry for entry in daily if entry.day == now.date()), None)
    counts = (
        await session.execute(
            select(
                select(func.count()).select_from(Product).where(Product.deleted_at.is_(None)).scalar_subquery(),
                select(func.count())
                .select_from(Product)
                .where(Product.deleted_at.is_(None), Product.stock < LOW_STOCK)
                .scalar_subquery(),
                select(func.count()).select_from(User).where(User.deleted_at.is_(None)).scalar_subquery(),
                select(func.count())
                .select_from(Conversation)
                .where(Conversation.deleted_at.is_(None), *whose_talks)
                .scalar_subquery(),
            )
        )
    ).one()
    latest = await session.scalars(
        select(Order).where(*whose).order_by(Order.created_at.desc(), Order.id.desc()).limit(recent)
    )
    return Figures(
        products=int(counts[0]),
        products_low=int(counts[1]),
        users=int(counts[2]),
        conversations=int(counts[3]),
        orders_total=sum(by_status.values()),
        orders_today=today.orders if today else 0,
        orders_open=sum(by_status.get(status.value, 0) for status in OPEN),
        orders_by_status={status.value: by_status.get(status.value, 0) for status in OrderStatus},
        revenue_today=today.revenue if today else Decimal("0.00"),
        currency=CURRENCY,
        unread_notifications=await unread_count(session, viewer_id),
        recent_orders=latest.all(),
        daily=daily,
        generated_at=now,
    )


async def daily_revenue(session: AsyncSession, *, user_id: UUID | None = None, days: int = 14) -> list[DailyRevenue]:
    """One entry per day, the oldest first, days without orders included; the last is today."""
    rows = await session.execute(
        text(
            "SELECT d::date AS day, count(o.id) AS orders, "
            "       coalesce(sum(o.total_amount) FILTER (WHERE o.currency = :currency), 0) AS revenue "
            "FROM generate_series(date_trunc('day', now()) - make_interval(days => :days - 1), "
            "                     date_trunc('day', now()), interval '1 day') AS d "
            "LEFT JOIN app.orders o ON o.created_at >= d AND o.created_at < d + interval '1 day' "
            "  AND o.status <> 'cancelled' "
            "  AND (CAST(:user_id AS uuid) IS NULL OR o.user_id = CAST(:user_id AS uuid)) "
            "GROUP BY d ORDER BY d"
        ),
        {"days": days, "currency": CURRENCY, "user_id": user_id},
    )
    return [DailyRevenue(row.day, int(row.orders), Decimal(row.revenue)) for row in rows]
