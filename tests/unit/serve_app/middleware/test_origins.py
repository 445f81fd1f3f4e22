"""CORS."""

from serve_app.middleware.origins import OriginMiddleware
from tests.fakes.asgi import Answer, Exchange


async def test_with_an_origin_and_without():
    middleware = OriginMiddleware(Answer(), allow_origins=["http://shop.test"], allow_credentials=True)
    assert "access-control-allow-origin" not in (await Exchange().through(middleware)).headers
    ours = await Exchange(origin="http://shop.test").through(middleware)
    assert ours.headers["access-control-allow-origin"] == "http://shop.test"
    theirs = await Exchange(origin="http://evil.test").through(middleware)
    assert "access-control-allow-origin" not in theirs.headers
