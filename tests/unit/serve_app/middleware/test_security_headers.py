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
