"""Pages of orders: asked for at two addresses, answered in one way."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.repository import usernames_of
from db.orders import service
from db.orders.models import Order as OrderRow
from serve_app.orders.presenting import present_summary
from serve_app.orders.schemas import OrderSummary
from serve_app.pagination import PageQuery, by_cursor, numbered, read_cursor
from serve_app.resources import Resources


async def answer_orders(
    session: AsyncSession,
    query: PageQuery,
    request: Request,
    response: Response,
    resources: Resources,
    *,
    user_id: UUID | None,
    status: str | None = None,
    number: int | None = None,
    named: bool = False,
) -> dict[str, Any]:
    """One page of a person's orders, or of everybody's, newest first. `named`: with whose they are."""
    if query.by_cursor:
        cursor = read_cursor(request, resources.links, query.cursor)
        found = await service.list_orders_by_cursor(
            session, user_id=user_id, status=status, number=number, cursor=cursor, limit=query.limit
        )
        present = await _presenting(session, found.items, named=named)
        return by_cursor(
            found,
            present,
            request=request,
            response=response,
            signer=resources.links,
            limit=query.limit,
        )
    page = await service.list_orders(
        session, user_id=user_id, status=status, number=number, page=query.page, limit=query.limit
    )
    return numbered(page, await _presenting(session, page.items, named=named), request=request, response=response)


async def _presenting(
    session: AsyncSession, orders: Sequence[OrderRow], *, named: bool
) -> Callable[[OrderRow], OrderSummary]:
    names = await usernames_of(session, [order.user_id for order in orders]) if named else {}
    return lambda order: present_summary(order, username=names.get(order.user_id))
