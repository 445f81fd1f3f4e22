"""Pages of orders: asked for at two addresses, answered in one way."""

from typing import Any
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.orders import service
from serve_app.orders.presenting import present_summary
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
) -> dict[str, Any]:
    """One page of a person's orders, or of everybody's, newest first."""
    if query.by_cursor:
        cursor = read_cursor(request, resources.links, query.cursor)
        found = await service.list_orders_by_cursor(
            session, user_id=user_id, status=status, cursor=cursor, limit=query.limit
        )
        return by_cursor(
            found,
            present_summary,
            request=request,
            response=response,
            signer=resources.links,
            limit=query.limit,
        )
    page = await service.list_orders(session, user_id=user_id, status=status, page=query.page, limit=query.limit)
    return numbered(page, present_summary, request=request, response=response)
