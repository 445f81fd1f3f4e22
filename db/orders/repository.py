"""Finding orders."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, selectinload

from db.orders.models import Order
from db.orders.status import OrderStatus

SORTS: Mapping[str, tuple[InstrumentedAttribute[Any], ...]] = {"created_at": (Order.created_at, Order.id)}


def filtered(
    *,
    user_id: UUID | None = None,
    status: OrderStatus | None = None,
    org_id: UUID | None = None,
    number: int | None = None,
) -> Select[Order]:
    """Orders that match; without `user_id`, everybody's."""
    statement = select(Order)
    if user_id is not None:
        statement = statement.where(Order.user_id == user_id)
    if status is not None:
        statement = statement.where(Order.status == status.value)
    if number is not None:
        statement = statement.where(Order.number == number)
    if org_id is not None:
        statement = statement.where(Order.org_id == org_id)
    return statement


async def full_order(session: AsyncSession, order_id: UUID) -> Order | None:
    """One order with its lines and history, as they are now."""
    wanted = (
        select(Order)
        .where(Order.id == order_id)
        .options(selectinload(Order.items), selectinload(Order.history))
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).one_or_none()


async def locked_order(session: AsyncSession, order_id: UUID) -> Order | None:
    """One order with its lines, locked until the transaction ends: two moves of it follow one another."""
    wanted = (
        select(Order)
        .where(Order.id == order_id)
        .options(selectinload(Order.items))
        .with_for_update(of=Order)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(wanted)).one_or_none()
