"""Version negotiation."""

import pytest

from serve_app.middleware.versioning import VersioningMiddleware
from tests.fakes.asgi import Answer, Exchange


@pytest.mark.parametrize(
    ("path", "query", "accept", "seen", "seen_query"),
    [
        ("/api/v1/things", "", "", "/api/v1/things", ""),
        ("/api/v1/things", "version=7", "", "/api/v1/things", "version=7"),
        ("/api/things", "a=1&version=1&b=%20", "", "/api/v1/things", "a=1&b=+"),
        ("/api/things", "", "text/html, application/vnd.mobula.v1+json;q=0.9", "/api/v1/things", ""),
        ("/api/publish", "", "application/json", "/api/publish", ""),
        ("/health", "version=9", "", "/health", "version=9"),
    ],
)
async def test_what_routes_see(path: str, query: str, accept: str, seen: str, seen_query: str):
    app = Answer()
    headers = {"accept": accept} if accept else {}
    exchange = await Exchange(path=path, query=query, **headers).through(VersioningMiddleware(app))
    assert exchange.status == 200
    assert (app.scope["path"], app.scope["query_string"].decode()) == (seen, seen_query)
    assert exchange.headers.get("api-version") == ("1" if seen.startswith("/api/v1") else None)


@pytest.mark.parametrize(("path", "query"), [("/api/v2", ""), ("/api/v0/x", ""), ("/api/x", "version=two")])
async def test_unknown_versions(path: str, query: str):
    app = Answer()
    exchange = await Exchange(path=path, query=query).through(VersioningMiddleware(app))
    assert exchange.status == 406
    assert app.scope is None
