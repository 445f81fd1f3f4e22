"""OpenTelemetry, off by default. `span()` costs one comparison while it is off.

`configure()` once per process. Spans go to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, else, one JSON object
per line, to `MOBULA_HOME/logs/spans.jsonl`. A trace crosses processes as a `traceparent` string (W3C), which jobs and
publications carry in their metadata: `carrier()` on one side, `span(..., parent=…)` on the other.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Tracer

Attribute = str | bool | int | float


class _State:
    """The tracer of this process, or None while tracing is off."""

    tracer: "Tracer | None" = None
    provider: "TracerProvider | None" = None


def configure(settings: Settings, *, process: str, exporter: "SpanExporter | None" = None) -> None:
    """Switch tracing on when the settings say so. `exporter` replaces the configured one, for tests."""
    if not settings.otel_enabled or _State.tracer is not None:
        return
    # The SDK costs 30 ms and 8 MB: only processes that trace pay for it.
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415

    resource = Resource.create({"service.name": f"mobula-{process}", "process.pid": os.getpid()})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(settings.otel_sampling_ratio)))
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    else:
        provider.add_span_processor(BatchSpanProcessor(_exporter(settings)))
    _State.provider = provider
    _State.tracer = provider.get_tracer("mobula")


def shutdown() -> None:
    """Send what is buffered and switch tracing off."""
    if _State.provider is not None:
        _State.provider.shutdown()
    _State.tracer = _State.provider = None


@contextmanager
def span(name: str, *, parent: Mapping[str, str] | None = None, **attributes: Attribute) -> Iterator[None]:
    """One span around a block; an exception marks it as failed and goes on. `parent` is another process's carrier."""
    tracer = _State.tracer
    if tracer is None:
        yield
        return
    from opentelemetry.propagate import extract  # noqa: PLC0415

    context = extract(dict(parent)) if parent else None
    named = {f"mobula.{key}": value for key, value in attributes.items()}
    with tracer.start_as_current_span(name, context=context, attributes=named):
        yield


def carrier() -> dict[str, str]:
    """What another process needs to continue the current trace; empty while tracing is off."""
    if _State.tracer is None:
        return {}
    from opentelemetry.propagate import inject  # noqa: PLC0415

    found: dict[str, str] = {}
    inject(found)
    return found


def _exporter(settings: Settings) -> "SpanExporter":
    if settings.otel_exporter_otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        return OTLPSpanExporter(endpoint=settings.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces")
    return _file_exporter(settings.mobula_home / "logs" / "spans.jsonl")


def _file_exporter(file: Path) -> "SpanExporter":
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415

    class FileExporter(SpanExporter):
        """Appends each span as one line; lines of several processes do not mix, because each is one write."""

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as out:
                for one in spans:
                    out.write(one.to_json(indent=None) + "\n")
                    out.flush()
            return SpanExportResult.SUCCESS

    return FileExporter()
