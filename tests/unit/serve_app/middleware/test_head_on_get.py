"""HEAD on GET."""

from typing import Any

from serve_app.middleware.head_on_get import HeadOnGetMiddleware
from tests.fakes.asgi import Answer, Exchange


async def test_head_is_get_without_a_body():
    app = Answer(body=b"hello", headers=[(b"content-length", b"5")])
    exchange = await Exchange("HEAD").through(HeadOnGetMiddleware(app))
    assert app.scope["method"] == "GET"
    assert (exchange.body, exchange.headers["content-length"]) == (b"", "5")


async def test_others_pass():
    app = Answer(body=b"hello")
    assert (await Exchange("GET").through(HeadOnGetMiddleware(app))).body == b"hello"


async def test_the_server_knows_that_no_body_follows():
    """It reads the method of this very scope when the answer begins: a length without a body would be an error."""
    exchange = Exchange("HEAD")
    seen: list[str] = []

    async def send(message: Any) -> None:
        seen.append(exchange.scope["method"])

    exchange.send = send  # type: ignore[method-assign]
    await exchange.through(HeadOnGetMiddleware(Answer(body=b"hello", headers=[(b"content-length", b"5")])))
    assert seen == ["HEAD", "HEAD"]
