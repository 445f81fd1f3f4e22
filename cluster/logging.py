"""Structured logs: one JSON object per line, with what the current request, job or connection bound to the context.

`configure()` once per process; then `log = get_logger(__name__)` and `log.info("order placed", order_id=…)`. Records of
the standard library (Ray, Serve, uvicorn, SQLAlchemy, asyncio) go the same way, and so does an exception that nobody
caught. `bind()` adds to the context of the current task. Lines go to a file of the process (`cluster.log_files`).
"""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Protocol

import orjson
import structlog

from cluster.log_files import CONTROL, LogFile, open_own
from cluster.paths import Paths
from cluster.settings import Settings

REDACTED = "[redacted]"

SENSITIVE = re.compile(
    r"authorization|cookie|passw|token|secret|api[-_]?key|private[-_]?key|credential|\bdsn\b|csrf|otp|signature",
    re.IGNORECASE,
)
"""A field whose name matches never shows its value."""

_IN_TEXT = (
    (re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), r"\1 " + REDACTED),
    (re.compile(r"\b(\w+://[^\s/:@]*:)[^\s/@]+@"), r"\1" + REDACTED + "@"),
    (re.compile(r"\b(m[or]t_)[A-Za-z0-9_-]{8,}"), r"\1" + REDACTED),
    (re.compile(r"\b(sk_live_[A-Za-z0-9]{8}_)[A-Za-z0-9_-]{8,}"), r"\1" + REDACTED),
    (re.compile(r"\$argon2[a-z]{1,2}\$[A-Za-z0-9+/=,$]+"), REDACTED),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"), REDACTED),
    (
        re.compile(
            r"((?:authorization|cookie|password|token|secret|api[-_]?key)[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+",
            re.IGNORECASE,
        ),
        r"\1" + REDACTED,
    ),
)
"""What gives a secret away inside running text: exception messages, URLs, foreign log records. Ours begin with `mot_`
(mailed links), `mrt_` (refresh tokens) and `sk_live_` (API keys, whose public id stays)."""

QUIET = ("httpx", "httpcore", "asyncio", "urllib3", "hpack")
"""Loggers that say at INFO what nobody asked for."""

TAKEN_OVER = ("ray", "ray.serve", "uvicorn", "uvicorn.error", "uvicorn.access")
"""Loggers with handlers of their own. Serve's keeps the last 1,000 records of a replica in memory, as text."""

_SAFE_FIELDS = frozenset({"event", "level", "logger", "timestamp"})


class Sink(Protocol):
    """Where lines go."""

    def write(self, text: str, /) -> int:
        """Append text."""

    def flush(self) -> None:
        """Do not keep it back."""


class _State:
    """What `configure` made of this process."""

    sink: Sink | None = None
    identity: Mapping[str, str | int] = {"process": ""}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; fields are keyword arguments."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def bind(**fields: object) -> None:
    """Add fields to every record of the current task and those it starts."""
    structlog.contextvars.bind_contextvars(**fields)


def clear() -> None:
    """Forget what was bound: at the start of each request or job."""
    structlog.contextvars.clear_contextvars()


@contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Bind for the length of a block."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def configure(settings: Settings, *, process: str, stream: Sink | None = None) -> None:
    """Set up logging of this process; calling it again replaces the earlier set-up.

    `process` names the process in every line, and its file: `api`, `realtime`, `host`, `agent`, `worker`, `supervisor`,
    `deploy`, `up`, `node`. `stream` takes the lines instead of the file, for tests. Where no file can be written they
    go to stderr.
    """
    if isinstance(_State.sink, LogFile):
        _State.sink.close()
    if stream is None:
        stream = _open(settings, process)
        _take_over()
    identity: dict[str, str | int] = {"process": process, "pid": os.getpid(), "node": os.uname().nodename}
    _State.sink, _State.identity = stream, identity

    def name_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for name, value in identity.items():
            event.setdefault(name, value)
        return event

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        name_process,
        _add_trace,
    ]
    ending: list[structlog.types.Processor] = (
        [structlog.processors.format_exc_info, redact, _render_json]
        if settings.log_format == "json"
        else [structlog.processors.format_exc_info, redact, _printable, structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def sink() -> Sink:
    """Where this process's lines go, for those that are made elsewhere (access lines)."""
    return _State.sink or sys.stderr


def identity() -> Mapping[str, str | int]:
    """Which process speaks: fields of every line."""
    return _State.identity


def _open(settings: Settings, process: str) -> Sink:
    try:
        return open_own(Paths(settings.mobula_home).process_logs, process)
    except OSError as reason:
        sys.stderr.write(f"no log file: {reason}\n")
        return sys.stderr


def _take_over() -> None:
    """Everything that speaks in this process speaks here."""
    for name in TAKEN_OVER:
        foreign = logging.getLogger(name)
        foreign.handlers.clear()
        foreign.propagate = True
        foreign.addFilter(_no_access_line)
    sys.excepthook = _tell_uncaught
    threading.excepthook = _tell_uncaught_in_thread


def _no_access_line(record: logging.LogRecord) -> bool:
    """Serve's lines of requests stay away: the api application writes its own."""
    return not getattr(record, "serve_access_log", False)


def _tell_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, Exception):
        logging.getLogger("mobula.uncaught").critical("uncaught exception", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _tell_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_value is not None and issubclass(uncaught.exc_type, Exception):
        found = (uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)
        logging.getLogger("mobula.uncaught").critical("uncaught exception in a thread", exc_info=found)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values of sensitive fields at any depth, and secrets inside text."""
    for name, value in event.items():
        event[name] = clean_text(value) if name in _SAFE_FIELDS and isinstance(value, str) else clean(name, value)
    return event


def clean(name: str, value: Any) -> Any:
    """The value that may be shown under this name."""
    if SENSITIVE.search(name) and not isinstance(value, bool | int | float | None):
        return REDACTED
    if isinstance(value, Mapping):
        return {str(key): clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean("", inner) for inner in value]
    if isinstance(value, str):
        return clean_text(value)
    return value


def clean_text(text: str) -> str:
    """Running text without the secrets that are known by their looks."""
    for pattern, replacement in _IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _printable(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No control character reaches a terminal, and only an exception may span lines."""
    for name, value in event.items():
        if isinstance(value, str):
            text = value.translate(CONTROL)
            event[name] = text if name == "exception" else text.replace("\n", "\\n")
    return event


def _render_json(_: Any, __: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(dict(event), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The ids of the current span, so that a log line leads to its trace."""
    tracing = sys.modules.get("opentelemetry.trace")  # never imported for its own sake: tracing is off by default
    if tracing is not None:
        context = tracing.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = format(context.trace_id, "032x")
            event["span_id"] = format(context.span_id, "016x")
    return event
