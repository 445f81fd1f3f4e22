"""Spans of requests."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from cluster import tracing
from serve_app.app import build_app
from serve_app.middleware.tracing import TracingMiddleware
from tests.fakes.asgi import Answer, Exchange
from tests.fixtures.client import build_settings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    tracing.shutdown()
    exporter = InMemorySpanExporter()
    tracing.configure(build_settings(otel_enabled=True), process="test", exporter=exporter)
    yield exporter
    tracing.shutdown()


async def test_continues_the_callers_trace(spans: InMemorySpanExporter):
    exchange = Exchange(traceparent=PARENT)
    exchange.scope["route"] = SimpleNamespace(path="/things/{id}")
    await exchange.through(TracingMiddleware(Answer(200)))
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /things/{id}"
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert span.attributes is not None
    assert span.attributes["http.route"] == "/things/{id}"
    assert span.attributes["http.response.status_code"] == 200
    assert span.status.status_code is StatusCode.UNSET


async def test_callers_do_not_say_what_is_recorded():
    tracing.shutdown()
    exporter = InMemorySpanExporter()
    settings = build_settings(otel_enabled=True, otel_sampling_ratio=0.0)
    tracing.configure(settings, process="test", exporter=exporter)
    await Exchange(traceparent=PARENT).through(TracingMiddleware(Answer(200)))
    tracing.shutdown()
    assert exporter.get_finished_spans() == ()


async def test_server_errors_are_marked(spans: InMemorySpanExporter):
    await Exchange().through(TracingMiddleware(Answer(503)))
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "503"


async def test_costs_nothing_while_off():
    assert (await Exchange().through(TracingMiddleware(Answer(204)))).status == 204


async def test_fastapi_adds_no_span_of_its_own(spans: InMemorySpanExporter):
    app = build_app(build_settings(otel_enabled=True))
    assert not app._native_telemetry.enabled()
