"""Request ids."""

import asyncio

import pytest
from structlog.contextvars import get_contextvars

from db.audit.callers import CALLER, NOBODY, Caller
from serve_app.middleware.context import AddressFinder
from serve_app.middleware.request_id import RequestIdMiddleware
from tests.fakes.asgi import Answer, Exchange

PEERS = AddressFinder([])


async def test_minted_ones_differ_and_are_bound_for_logs():
    bound: list[object] = []

    class Noting(Answer):
        async def __call__(self, *arguments: object) -> None:
            bound.append(get_contextvars()["request_id"])
            await super().__call__(*arguments)

    app = Noting()
    ids = [
        (await Exchange().through(RequestIdMiddleware(app, addresses=PEERS))).headers["x-request-id"] for _ in range(2)
    ]
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

    middleware = RequestIdMiddleware(Waiting(), addresses=PEERS)
    both = await asyncio.gather(*(Exchange(x_request_id=f"caller-{n}").through(middleware) for n in (1, 2)))
    assert [exchange.headers["x-request-id"] for exchange in both] == seen == ["caller-1", "caller-2"]


@pytest.mark.parametrize(("given", "kept"), [("abcd-1234_x.y", True), ("short", False), ("a b c d e f", False)])
async def test_harmless_ones_are_kept(given: str, kept: bool):
    exchange = await Exchange(x_request_id=given).through(RequestIdMiddleware(Answer(), addresses=PEERS))
    assert (exchange.headers["x-request-id"] == given) is kept


async def test_what_a_request_does_is_its_caller_s_and_what_comes_after_it_is_nobody_s():
    seen: list[Caller] = []

    class Noting(Answer):
        async def __call__(self, *arguments: object) -> None:
            seen.append(CALLER.get())
            await super().__call__(*arguments)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await Exchange(client="192.0.2.7", x_request_id="caller-1").through(
            RequestIdMiddleware(Noting(), addresses=PEERS)
        )
    assert seen == [Caller("192.0.2.7", "caller-1")]
    assert CALLER.get() is NOBODY
