"""OpenTelemetry, off by default. `span()` costs one comparison while it is off, and nothing of it is imported.

`configure()` once per process. Spans go to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names, else, one JSON object
per line, to `MOBULA_HOME/logs/spans.jsonl`. A trace crosses processes as a `traceparent` (W3C): in a header of a
request, in a transaction-local setting of Postgres, from which jobs and publications of the outbox take theirs, and
with what a job worker reports. `traceparent()` or `carrier()` on one side, `span(..., parent=…)` on the other.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cluster.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span, Tracer

Attribute = str | bool | int | float

SEND_EVERY_MS: Final = 1_000
"""What a killed process takes along."""

FILE_BYTES: Final = 64 * 2**20
"""Of `spans.jsonl`. There is one more, `spans.jsonl.1`, with what was before."""

SEND_LIMIT_S: Final = 3.0
"""A collector that does not answer holds up the end of a process for about so long."""


class _State:
    """The tracer of this process, or None while tracing is off."""

    tracer: "Tracer | None" = None
    edge: "Tracer | None" = None
    """The same for requests of strangers, whose word on what is recorded counts for nothing."""
    provider: "TracerProvider | None" = None


_OFF: Final = nullcontext()


def configure(settings: Settings, *, process: str, exporter: "SpanExporter | None" = None) -> None:
    """Switch tracing on when the settings say so. `exporter` replaces the configured one, for tests.

    Libraries and applications that ask OpenTelemetry for a tracer get one of the same provider.
    """
    if not settings.otel_enabled or _State.tracer is not None:
        return
    # The SDK costs 30 ms and 8 MB: only processes that trace pay for it.
    from opentelemetry import trace  # noqa: PLC0415 - only processes that trace
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only processes that trace
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - only processes that trace
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415 - only processes that trace
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased  # noqa: PLC0415 - only processes that trace

    resource = Resource.create({"service.name": f"mobula-{process}", "process.pid": os.getpid()})
    share = TraceIdRatioBased(settings.otel_sampling_ratio)
    # The provider registers its own shutdown with atexit, which sends what is left.
    provider = TracerProvider(resource=resource, sampler=ParentBased(share))
    strangers = ParentBased(share, remote_parent_sampled=share)
    edge = TracerProvider(resource=resource, sampler=strangers, shutdown_on_exit=False)
    processor = (
        BatchSpanProcessor(_exporter(settings), schedule_delay_millis=SEND_EVERY_MS)
        if exporter is None
        else SimpleSpanProcessor(exporter)
    )
    for one in (provider, edge):
        one.add_span_processor(processor)
    if exporter is None:
        trace.set_tracer_provider(provider)
    _State.provider = provider
    _State.tracer, _State.edge = provider.get_tracer("mobula"), edge.get_tracer("mobula")


def is_on() -> bool:
    """Whether this process traces."""
    return _State.tracer is not None


def flush() -> None:
    """Send what is buffered. Blocks, and does nothing while tracing is off."""
    if _State.provider is not None:
        _State.provider.force_flush()


def shutdown() -> None:
    """Send what is buffered and switch tracing off."""
    if _State.provider is not None:
        _State.provider.shutdown()
    _State.tracer = _State.edge = _State.provider = None


def span(
    name: str, *, parent: Mapping[str, str] | None = None, **attributes: Attribute
) -> AbstractContextManager["Span | None"]:
    """One span around a block; an exception marks it as failed and goes on. None while tracing is off.

    `parent` is another process's carrier; without one, or with an empty one, the span is the current one's child.
    """
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    named = {f"mobula.{key}": value for key, value in attributes.items()}
    return _span(tracer, name, parent, named)


def strangers_span(name: str, *, parent: Mapping[str, str]) -> AbstractContextManager["Span | None"]:
    """The same around what a stranger asked for: its trace is continued, and not recorded more often than any other."""
    return _OFF if _State.edge is None else _span(_State.edge, name, parent, {})


@contextmanager
def _span(
    tracer: "Tracer", name: str, parent: Mapping[str, str] | None, attributes: Mapping[str, Attribute]
) -> Iterator["Span"]:
    from opentelemetry.propagate import extract  # noqa: PLC0415 - only processes that trace

    context = extract(dict(parent)) if parent else None
    with tracer.start_as_current_span(name, context=context, attributes=attributes) as current:
        yield current


@contextmanager
def continuing(traceparent: str) -> Iterator[None]:
    """What happens in the block belongs to another process's trace."""
    if _State.tracer is None or not traceparent:
        yield
        return
    from opentelemetry import context  # noqa: PLC0415 - only processes that trace
    from opentelemetry.propagate import extract  # noqa: PLC0415 - only processes that trace

    token = context.attach(extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def fail(error: BaseException) -> None:
    """The current span failed, although nobody raises out of it."""
    if _State.tracer is None:
        return
    from opentelemetry.trace import Status, StatusCode, get_current_span  # noqa: PLC0415 - only processes that trace

    current = get_current_span()
    current.record_exception(error)
    current.set_status(Status(StatusCode.ERROR, str(error)[:200]))


def carrier() -> dict[str, str]:
    """What another process needs to continue the current trace; empty while tracing is off."""
    if _State.tracer is None:
        return {}
    from opentelemetry.propagate import inject  # noqa: PLC0415 - only processes that trace

    found: dict[str, str] = {}
    inject(found)
    return found


def traceparent() -> str:
    """The same as one string; '' while tracing is off, and outside every span."""
    return carrier().get("traceparent", "") if _State.tracer is not None else ""


def current() -> dict[str, str]:
    """Ids of the current span, for a log line; empty while tracing is off, and outside every span."""
    if _State.tracer is None:
        return {}
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - only processes that trace

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": format(context.trace_id, "032x"), "span_id": format(context.span_id, "016x")}


def _exporter(settings: Settings) -> "SpanExporter":
    if settings.otel_exporter_otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - only processes that trace

        endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces"
        return OTLPSpanExporter(endpoint=endpoint, timeout=SEND_LIMIT_S)
    return _file_exporter(settings.mobula_home / "logs" / "spans.jsonl")


def _file_exporter(file: Path) -> "SpanExporter":
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415 - only processes that trace

    class FileExporter(SpanExporter):
        """Appends each span as one line; lines of several processes do not mix, because each is one write."""

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            file.parent.mkdir(parents=True, exist_ok=True)
            _turn_over(file)
            with file.open("a") as out:
                for one in spans:
                    out.write(one.to_json(indent=None) + "\n")
                    out.flush()
            return SpanExportResult.SUCCESS

    return FileExporter()


def _turn_over(file: Path) -> None:
    """Begin the file anew when it is full. Of the processes that see so, one does it, and none waits for it."""
    with file.open("a") as full:
        if full.tell() < FILE_BYTES:
            return
        with suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(full, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Unless another one has done it since it was opened here.
            if os.path.samestat(os.fstat(full.fileno()), file.stat()):
                file.replace(file.with_name(file.name + ".1"))
