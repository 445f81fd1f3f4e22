import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cluster import tracing
from cluster.settings import Settings


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def off_afterwards() -> Iterator[None]:
    yield
    tracing.shutdown()


def test_off_by_default_and_then_free_of_spans() -> None:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(), process="api", exporter=exporter)
    with tracing.span("work"):
        assert tracing.carrier() == {}
    assert exporter.get_finished_spans() == ()


def test_a_trace_goes_on_in_another_process() -> None:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(otel_enabled=True), process="api", exporter=exporter)
    with tracing.span("request", route="/orders"):
        parent = tracing.carrier()
    with tracing.span("job", parent=parent, kind="mail"):
        pass
    request, job = exporter.get_finished_spans()
    assert job.parent is not None
    assert job.parent.span_id == request.context.span_id
    assert job.context.trace_id == request.context.trace_id
    assert dict(job.attributes or {}) == {"mobula.kind": "mail"}


def test_an_exception_marks_the_span_and_goes_on() -> None:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(otel_enabled=True), process="api", exporter=exporter)
    with pytest.raises(LookupError), tracing.span("work"):
        raise LookupError
    [span] = exporter.get_finished_spans()
    assert not span.status.is_ok


def test_without_a_collector_spans_go_to_a_file(tmp_path: Path) -> None:
    tracing.configure(settings(otel_enabled=True, mobula_home=tmp_path), process="api")
    with tracing.span("work"):
        pass
    tracing.shutdown()
    [line] = (tmp_path / "logs" / "spans.jsonl").read_text().splitlines()
    assert json.loads(line)["name"] == "work"
