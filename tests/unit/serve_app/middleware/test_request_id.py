"""Request ids."""

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


@pytest.mark.parametrize(("given", "kept"), [("abcd-1234_x.y", True), ("short", False), ("a b c d e f", False)])
async def test_harmless_ones_are_kept(given: str, kept: bool):
    exchange = await Exchange(x_request_id=given).through(RequestIdMiddleware(Answer()))
    assert (exchange.headers["x-request-id"] == given) is kept
