import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cluster import tracing
from cluster.settings import Settings

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def off_afterwards() -> Iterator[None]:
    yield
    tracing.shutdown()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(otel_enabled=True), process="api", exporter=exporter)
    return exporter


def test_off_by_default_and_then_free_of_spans() -> None:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(), process="api", exporter=exporter)
    with tracing.span("work") as nothing, tracing.continuing(PARENT):
        tracing.fail(ValueError())
        assert nothing is None
        assert (tracing.carrier(), tracing.current(), tracing.traceparent()) == ({}, {}, "")
    assert not tracing.is_on()
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


def test_the_file_is_turned_over_by_one_of_those_who_find_it_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "spans.jsonl"
    file.write_text("before\n")
    monkeypatch.setattr(tracing, "FILE_BYTES", 5)
    exporter = tracing._file_exporter(file)
    with file.open("a") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        exporter.export([])
        assert file.read_text() == "before\n", "nobody waits for whom that does it"
    exporter.export([])
    assert (tmp_path / "spans.jsonl.1").read_text() == "before\n"
    assert file.read_text() == ""
    exporter.export([])
    assert (tmp_path / "spans.jsonl.1").read_text() == "before\n"


def test_strangers_do_not_say_what_is_recorded_and_processes_of_ours_do() -> None:
    exporter = InMemorySpanExporter()
    tracing.configure(settings(otel_enabled=True, otel_sampling_ratio=0.0), process="api", exporter=exporter)
    with tracing.strangers_span("GET", parent={"traceparent": PARENT}), tracing.span("transaction"):
        assert tracing.current()["trace_id"] == PARENT.split("-")[1], "the trace is the caller's all the same"
        assert tracing.traceparent().endswith("-00")
    assert exporter.get_finished_spans() == ()
    with tracing.span("job", parent={"traceparent": PARENT}):
        pass
    assert [one.name for one in exporter.get_finished_spans()] == ["job"]


def test_the_current_span_can_be_named_and_handed_on(spans: InMemorySpanExporter) -> None:
    assert (tracing.traceparent(), tracing.current()) == ("", {})
    with tracing.span("request"):
        named = tracing.current()
        assert tracing.traceparent().startswith(f"00-{named['trace_id']}-{named['span_id']}-")
    with tracing.continuing(PARENT), tracing.span("publication"):
        pass
    assert tracing.current() == {}
    with tracing.continuing(""), tracing.span("root"):
        pass
    _, publication, root = spans.get_finished_spans()
    assert f"{publication.context.trace_id:032x}" == PARENT.split("-")[1]
    assert root.parent is None


def test_a_span_can_fail_although_nobody_raises_out_of_it(spans: InMemorySpanExporter) -> None:
    with tracing.span("job"):
        tracing.fail(ValueError("no arguments"))
    [job] = spans.get_finished_spans()
    assert not job.status.is_ok
    assert [event.name for event in job.events] == ["exception"]
