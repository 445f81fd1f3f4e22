"""The limit on request bodies."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from serve_app.middleware import body_limit
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


class Trickle:
    """A client that sends so much, and then nothing more."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages)

    async def receive(self) -> dict[str, Any]:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@pytest.mark.parametrize("length", [{}, {"content_length": "9"}])
async def test_a_body_that_does_not_arrive_is_given_up(length: dict[str, str]):
    exchange = Exchange("POST", **length)
    exchange.receive = Trickle(part(b"1", True)).receive  # type: ignore[method-assign]
    async with asyncio.timeout(5):
        with pytest.raises(HTTPException) as refused:
            await exchange.through(BodyLimitMiddleware(Answer(), read_s=0.01))
    assert refused.value.status_code == 408
    assert refused.value.headers == {"Connection": "close"}


async def test_what_arrives_earns_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(body_limit, "LEAST_BYTES_PER_S", 1)
    exchange, app = Exchange("POST"), Answer()
    waits: list[float] = []
    real = asyncio.timeout_at
    monkeypatch.setattr(asyncio, "timeout_at", lambda when: waits.append(when) or real(when))
    exchange.receive = Trickle(part(b"12345", True), part(b"6", False)).receive  # type: ignore[method-assign]
    await exchange.through(BodyLimitMiddleware(app))
    assert app.received == b"123456"
    assert waits[1] - waits[0] == pytest.approx(5)


async def test_once_it_is_complete_the_wait_for_the_end_of_the_client_has_none():
    left = asyncio.Event()

    async def streaming(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"1"
        watching = asyncio.ensure_future(receive())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.shield(watching)
        left.set()
        assert (await watching)["type"] == "http.disconnect"
        await Answer()({**scope, "method": "GET"}, receive, send)

    exchange = Exchange("POST")
    messages = [part(b"1", False)]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await left.wait()
        return {"type": "http.disconnect"}

    exchange.receive = receive  # type: ignore[method-assign]
    await exchange.through(BodyLimitMiddleware(streaming, read_s=0.01))
    assert exchange.status == 200
