"""Placing an order over HTTP, once however often it is sent."""

from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.orders import service
from db.orders.service import OrderLine
from serve_app.idempotency import answer_once, created
from serve_app.links import ROOT
from serve_app.orders.presenting import present_order
from serve_app.orders.schemas import OrderCreate
from serve_app.security.principal import Principal

EXPECTATIONS = {"expected_price", "expected_currency"}


async def answer_placed(
    session: AsyncSession,
    body: OrderCreate,
    principal: Principal,
    request: Request,
    key: str | None,
    *,
    user_id: UUID | None = None,
) -> Response:
    """Place an order for `user_id`, or the caller. With a key the first answer is kept, and given again.

    What is expected of prices is no part of what a key is bound to: agreeing to a new price is the same order, which
    may be placed already by a request whose answer was lost.
    """

    async def place() -> Response:
        order = await service.place_order(
            session,
            user_id=user_id or principal.user_id,
            lines=[
                OrderLine(line.product_id, line.quantity, line.expected_price, line.expected_currency)
                for line in body.lines
            ],
            note=body.note,
            placed_by=principal.user_id,
        )
        return created(present_order(order, principal), f"{ROOT}/orders/{order.id}")

    ordered = body.model_dump_json(exclude_unset=True, exclude={"lines": {"__all__": EXPECTATIONS}})
    return await answer_once(request, session, principal, key, place, bound_to=ordered.encode())
