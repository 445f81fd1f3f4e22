"""The short way for probes."""

import pytest

from serve_app.middleware.probes import ProbeBypass
from tests.fakes.asgi import Answer, Exchange


@pytest.mark.parametrize(
    ("path", "short"), [("/health", True), ("/health/live", True), ("/metrics", True), ("/api/v1/orders", False)]
)
async def test_only_probes_take_it(path: str, short: bool):
    exchange = await Exchange(path=path).through(ProbeBypass(Answer(200), Answer(204)))
    assert (exchange.status == 204) is short
