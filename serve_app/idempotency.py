"""Requests that may be sent again: with an Idempotency-Key the first answer is kept for a day, and given again."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header, Request, Response, status
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from db.idempotency import service
from serve_app.security.principal import Principal

JSON = "application/json"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes resending safe for 24 hours: the first answer is given again.",
    ),
]


def created(body: BaseModel, location: str | None = None, *, status_code: int = status.HTTP_201_CREATED) -> Response:
    """The answer to a request that made `body`."""
    headers = {} if location is None else {"Location": location}
    return Response(body.model_dump_json(by_alias=True).encode(), status_code, headers, JSON)


async def answer_once(
    request: Request,
    session: AsyncSession,
    principal: Principal,
    key: str | None,
    make: Callable[[], Awaitable[Response]],
    *,
    bound_to: bytes | None = None,
) -> Response:
    """What `make` answers, and with a key the same answer however often the request is sent.

    A key is bound to its sender, to method and path, and to the body, or to `bound_to` in its place: KeyReused (422)
    when that differs, RequestInProgress (409) while the first one is still at work. What `make` raises is not kept.
    """
    if key is None:
        return await make()
    who, route = str(principal.api_key_id or principal.user_id), f"{request.method} {request.url.path}"
    sent = await request.body() if bound_to is None else bound_to
    known = await service.find_answer(session, principal=who, route=route, key=key, request_body=sent)
    if known is not None:
        return Response(known.body, known.status_code, known.headers | {"Idempotent-Replayed": "true"}, JSON)
    answer = await make()
    location = answer.headers.get("Location")
    await service.store_answer(
        session,
        principal=who,
        route=route,
        key=key,
        request_body=sent,
        status_code=answer.status_code,
        body=bytes(answer.body),
        headers={} if location is None else {"Location": location},
    )
    return answer
