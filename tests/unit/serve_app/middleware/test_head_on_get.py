"""HEAD on GET."""

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
