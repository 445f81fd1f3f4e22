"""Orders."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response, status
from pydantic import Field

from db.auth.repository import usernames_of
from db.errors import PermissionDenied
from db.orders import service
from db.orders.models import Order as OrderRow
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.idempotency import IdempotencyKey
from serve_app.openapi_parts import LOCATION_HEADER, problems
from serve_app.orders.listing import answer_orders
from serve_app.orders.placing import answer_placed
from serve_app.orders.presenting import present_order
from serve_app.orders.schemas import Order, OrderCancel, OrderCreate, OrderStatus, OrderStatusChange, OrderSummary
from serve_app.pagination import PageQuery
from serve_app.schemas import Page
from serve_app.security.principal import Principal

router = APIRouter(prefix="/orders", tags=["orders"])

OrderReader = Annotated[Principal, Depends(require("orders:read"))]
OrderPlacer = Annotated[Principal, Depends(require("orders:place"))]
OrderKeeper = Annotated[Principal, Depends(require("orders:manage"))]


MAX_DIGITS = 18
"""Of a number that the column holds."""


class OrderQuery(PageQuery):
    """Filters of the list of orders."""

    status: OrderStatus | None = None
    everyone: Annotated[bool, Field(description="All people's orders; needs `orders:read_all`.")] = False
    user_id: Annotated[UUID | None, Field(description="Of everybody's, only this person's.")] = None
    number: Annotated[str | None, Field(max_length=20, description="Only the order that people call so.")] = None


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Order,
    responses=problems(403, 409) | {201: {"headers": LOCATION_HEADER}},
)
async def place_order(
    body: OrderCreate,
    principal: OrderPlacer,
    request: Request,
    session: DbSession,
    idempotency_key: IdempotencyKey = None,
) -> Any:
    """Place an order. Stock is taken in the same transaction, or nothing is."""
    return await answer_placed(session, body, principal, request, idempotency_key)


@router.get("", response_model=Page[OrderSummary], responses=problems(403))
async def list_orders(
    query: Annotated[OrderQuery, Query()],
    principal: OrderReader,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """Orders, newest first: one's own, or everybody's."""
    if query.everyone and not principal.may("orders:read_all"):
        raise PermissionDenied("Seeing everybody's orders needs 'orders:read_all'.")
    user_id = query.user_id if query.everyone else principal.user_id
    state = query.status.value if query.status is not None else None
    return await answer_orders(
        session,
        query,
        request,
        response,
        resources,
        user_id=user_id,
        status=state,
        number=_number(query.number),
        named=query.everyone,
    )


@router.get("/{order_id}", response_model=Order, responses=problems(403, 404))
async def get_order(order_id: UUID, principal: OrderReader, session: DbSession) -> Any:
    """One order with its lines and history: one's own, or anybody's with `orders:read_all`."""
    whose = None if principal.may("orders:read_all") else principal.user_id
    order = await service.get_order(session, order_id, user_id=whose)
    return await _answer(session, order, principal)


@router.post(
    "/{order_id}/cancel",
    response_model=Order,
    responses=problems(403, 404, 409),
)
async def cancel_order(
    order_id: UUID, principal: OrderPlacer, session: DbSession, body: OrderCancel | None = None
) -> Any:
    """Give an order up before it is shipped: one's own, or anybody's with `orders:manage`. Its stock returns."""
    order = await service.cancel_order(
        session,
        order_id,
        cancelled_by=principal.user_id,
        user_id=None if principal.may("orders:manage") else principal.user_id,
        reason=body.reason if body is not None else "",
    )
    return await _answer(session, order, principal)


@router.post(
    "/{order_id}/status",
    response_model=Order,
    responses=problems(403, 404, 409),
)
async def change_order_status(
    order_id: UUID, body: OrderStatusChange, principal: OrderKeeper, session: DbSession
) -> Any:
    """Move an order to its next status, or cancel it."""
    order = await service.change_status(
        session, order_id, body.status.value, changed_by=principal.user_id, reason=body.reason
    )
    return await _answer(session, order, principal)


async def _answer(session: DbSession, order: OrderRow, principal: Principal) -> Order:
    """Somebody else's order says whose it is."""
    foreign = order.user_id != principal.user_id
    names = await usernames_of(session, [order.user_id]) if foreign else {}
    return present_order(order, principal, username=names.get(order.user_id))


def _number(called: str | None) -> int | None:
    """The number of an order that is called `M-100042`; of what is no order's name, one that no order has."""
    if called is None:
        return None
    digits = called.strip().upper().removeprefix("M-")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else 0
