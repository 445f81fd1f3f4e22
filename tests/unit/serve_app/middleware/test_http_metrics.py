"""Counting requests."""

from types import SimpleNamespace

import pytest

from actors.metrics.registry import REGISTRY
from serve_app.middleware.http_metrics import HttpMetricsMiddleware
from tests.fakes.asgi import Answer, Exchange


def counted(endpoint: str, status: int) -> float:
    labels = {"method": "GET", "endpoint": endpoint, "status": str(status)}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0


async def test_counts_and_times_by_template():
    before = counted("/counted/{id}", 201)
    exchange = Exchange()
    exchange.scope["route"] = SimpleNamespace(path="/counted/{id}")
    await exchange.through(HttpMetricsMiddleware(Answer(201)))
    assert counted("/counted/{id}", 201) == before + 1
    labels = {"method": "GET", "endpoint": "/counted/{id}"}
    assert REGISTRY.get_sample_value("http_request_duration_seconds_count", labels)
    assert REGISTRY.get_sample_value("http_requests_in_flight") == 0


async def test_an_exception_counts_as_500():
    async def fail(*_: object) -> None:
        raise RuntimeError

    before = counted("__unmatched__", 500)
    with pytest.raises(RuntimeError):
        await Exchange().through(HttpMetricsMiddleware(fail))
    assert counted("__unmatched__", 500) == before + 1
    assert REGISTRY.get_sample_value("http_requests_in_flight") == 0
