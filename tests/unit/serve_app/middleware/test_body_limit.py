"""The limit on request bodies."""

import pytest
from starlette.exceptions import HTTPException

from serve_app.middleware.body_limit import BodyLimitMiddleware
from tests.fakes.asgi import Answer, Exchange


async def test_passes_what_fits():
    app = Answer()
    exchange = await Exchange("POST", body=[b"12", b"345"], content_length="5").through(
        BodyLimitMiddleware(app, max_bytes=5)
    )
    assert (exchange.status, app.received) == (200, b"12345")


async def test_refuses_by_length_without_reading():
    app = Answer()
    exchange = await Exchange("POST", body=[], content_length="6").through(BodyLimitMiddleware(app, max_bytes=5))
    assert exchange.status == 413
    assert app.scope is None


@pytest.mark.parametrize("length", [None, "nonsense", "-1"])
async def test_counts_what_has_no_length(length: str | None):
    app = Answer()
    headers = {} if length is None else {"content_length": length}
    with pytest.raises(HTTPException) as refused:
        await Exchange("POST", body=[b"123", b"456"], **headers).through(BodyLimitMiddleware(app, max_bytes=5))
    assert refused.value.status_code == 413
    assert app.received == b"123"


async def test_reading_requests_have_no_body():
    assert (
        await Exchange("GET", content_length="99").through(BodyLimitMiddleware(Answer(), max_bytes=5))
    ).status == 200
