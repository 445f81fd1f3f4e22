"""Request ids."""

import asyncio

import pytest
from structlog.contextvars import get_contextvars

from serve_app.middleware.request_id import RequestIdMiddleware
from tests.fakes.asgi import Answer, Exchange


async def test_minted_ones_differ_and_are_bound_for_logs():
    bound: list[object] = []

    class Noting(Answer):
        async def __call__(self, *arguments: object) -> None:
            bound.append(get_contextvars()["request_id"])
            await super().__call__(*arguments)

    app = Noting()
    ids = [(await Exchange().through(RequestIdMiddleware(app))).headers["x-request-id"] for _ in range(2)]
    assert ids == bound
    assert len(set(ids)) == 2
    assert app.scope["request_id"] == ids[1]


async def test_requests_at_the_same_time_do_not_see_each_others():
    seen: list[object] = []

    class Waiting(Answer):
        async def __call__(self, *arguments: object) -> None:
            await asyncio.sleep(0)  # the other one runs
            seen.append(get_contextvars()["request_id"])
            await super().__call__(*arguments)

    middleware = RequestIdMiddleware(Waiting())
    both = await asyncio.gather(*(Exchange(x_request_id=f"caller-{n}").through(middleware) for n in (1, 2)))
    assert [exchange.headers["x-request-id"] for exchange in both] == seen == ["caller-1", "caller-2"]


@pytest.mark.parametrize(("given", "kept"), [("abcd-1234_x.y", True), ("short", False), ("a b c d e f", False)])
async def test_harmless_ones_are_kept(given: str, kept: bool):
    exchange = await Exchange(x_request_id=given).through(RequestIdMiddleware(Answer()))
    assert (exchange.headers["x-request-id"] == given) is kept
