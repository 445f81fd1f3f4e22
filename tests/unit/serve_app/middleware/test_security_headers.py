"""Security headers."""

import pytest

from serve_app.middleware.security_headers import SecurityHeadersMiddleware
from tests.fakes.asgi import Answer, Exchange


@pytest.mark.parametrize("strict", [True, False])
async def test_strict_transport_is_for_tls(strict: bool):
    exchange = await Exchange().through(SecurityHeadersMiddleware(Answer(), strict_transport=strict))
    assert ("strict-transport-security" in exchange.headers) is strict
    assert exchange.headers["x-content-type-options"] == "nosniff"


async def test_the_documentation_may_run_its_own_scripts_and_nothing_else_may():
    middleware = SecurityHeadersMiddleware(Answer(), strict_transport=False)
    docs = (await Exchange(path="/docs").through(middleware)).headers["content-security-policy"]
    api = (await Exchange().through(middleware)).headers["content-security-policy"]
    assert "script-src 'self'" in docs
    assert "script-src" not in api
    assert "unsafe" not in docs + api


@pytest.mark.parametrize(
    ("principal", "own", "expected"),
    [(None, [], None), ("somebody", [], "no-store"), ("somebody", [(b"cache-control", b"no-cache")], "no-cache")],
)
async def test_what_depends_on_the_caller_is_not_kept(
    principal: str | None, own: list[tuple[bytes, bytes]], expected: str | None
):
    exchange = Exchange()
    if principal:
        exchange.scope["principal"] = principal
    await exchange.through(SecurityHeadersMiddleware(Answer(headers=own), strict_transport=False))
    assert exchange.headers.get("cache-control") == expected
