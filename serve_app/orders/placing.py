"""Placing an order over HTTP, once however often it is sent."""

from typing import Annotated
from uuid import UUID

from fastapi import Header, Request, Response, status
from sqlalchemy.ext.asyncio import AsyncSession

from db.idempotency import service as idempotency
from db.orders import service
from db.orders.service import OrderLine
from serve_app.links import ROOT
from serve_app.orders.presenting import present_order
from serve_app.orders.schemas import OrderCreate
from serve_app.security.principal import Principal

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes resending safe for 24 hours: the first answer is given again.",
    ),
]


async def answer_placed(
    session: AsyncSession,
    body: OrderCreate,
    principal: Principal,
    request: Request,
    route: str,
    key: str | None,
    *,
    user_id: UUID | None = None,
) -> Response:
    """Place an order for `user_id`, or the caller. With a key the first answer is kept, and given again.

    `route` is what the key is bound to, beside its sender.
    """
    sent = await request.body()
    who = str(principal.api_key_id or principal.user_id)
    if key is not None:
        known = await idempotency.find_answer(session, principal=who, route=route, key=key, request_body=sent)
        if known is not None:
            headers = known.headers | {"Idempotent-Replayed": "true"}
            return Response(known.body, known.status_code, headers, "application/json")
    order = await service.place_order(
        session,
        user_id=user_id or principal.user_id,
        lines=[OrderLine(line.product_id, line.quantity) for line in body.lines],
        note=body.note,
        placed_by=principal.user_id,
    )
    answer = present_order(order, principal).model_dump_json(by_alias=True).encode()
    headers = {"Location": f"{ROOT}/orders/{order.id}"}
    if key is not None:
        await idempotency.store_answer(
            session,
            principal=who,
            route=route,
            key=key,
            request_body=sent,
            status_code=status.HTTP_201_CREATED,
            body=answer,
            headers=headers,
        )
    return Response(answer, status.HTTP_201_CREATED, headers, "application/json")
