"""Sentry by its DSN. Without one nothing is imported and nothing leaves the machine.

What is logged as an error is what Sentry gets: the 500 of a request, a job that broke, a task that nobody awaited, an
uncaught exception, each with what was bound to its context (request id, job id) and the redaction of the log.
"""

import logging
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from cluster.logging import clean, identity
from cluster.settings import Settings

TAGS = ("request_id", "job_id", "job_kind", "process", "node", "trace_id")
"""Bound fields by which events can be searched; the others are only shown."""

OWN_LOGGERS = ("sentry_sdk", "urllib3")
"""Reporting that reporting fails would not end."""


class _State:
    """Whether this process reports."""

    on = False


def configure(settings: Settings, *, process: str, transport: Any = None) -> bool:
    """Report what this process logs as an error. Returns whether Sentry is on. `transport` is for tests.

    Call it after `cluster.logging.configure`, which replaces all handlers.
    """
    dsn = settings.sentry_dsn.get_secret_value()
    _State.on = bool(dsn)
    if not dsn:
        return False
    import sentry_sdk  # noqa: PLC0415 - 60 ms that a process without Sentry does not pay
    from sentry_sdk.integrations.atexit import AtexitIntegration  # noqa: PLC0415 - as above
    from sentry_sdk.integrations.dedupe import DedupeIntegration  # noqa: PLC0415 - as above

    sentry_sdk.init(
        dsn=dsn,
        environment=settings.environment,
        server_name=str(identity().get("node", "")),
        include_local_variables=False,  # they hold passwords and tokens
        max_request_body_size="never",
        # Others patch the frameworks and clients that they find, and would report a second time what our handlers log.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[AtexitIntegration(callback=_quietly), DedupeIntegration()],
        before_send=scrub,  # type: ignore[arg-type]  # its Event type is a TypedDict; we treat it as the mapping it is
        transport=transport,
    )
    sentry_sdk.set_tag("process", process)
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, Reporter)] + [Reporter()]
    return True


def is_on() -> bool:
    """Whether this process reports."""
    return _State.on


def flush(timeout_s: float) -> None:
    """Send what waits. Blocks, and does nothing while Sentry is off."""
    if _State.on:
        import sentry_sdk  # noqa: PLC0415 - as above

        sentry_sdk.flush(timeout=timeout_s)


class Reporter(logging.Handler):
    """Makes a Sentry event of an error record."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record over; sending happens in a thread of Sentry's."""
        if record.name.startswith(OWN_LOGGERS):
            return
        import sentry_sdk  # noqa: PLC0415 - as above
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415 - as above

        try:
            fields = fields_of(record)
            failure = _failure(fields.pop("exc_info", None))
            message = str(fields.pop("event", ""))
            event: dict[str, Any] = {"level": "fatal" if record.levelno >= logging.CRITICAL else "error"}
            hint: dict[str, Any] = {}
            if failure is not None:
                options = sentry_sdk.get_client().options
                mechanism = {"type": "logging", "handled": True}
                found, hint = event_from_exception(failure, client_options=options, mechanism=mechanism)
                event |= dict(found)
            event["logger"] = record.name
            event["logentry"] = {"message": message, "params": []}
            event["tags"] = {name: str(fields.pop(name)) for name in TAGS if name in fields}
            event["extra"] = {name: value for name, value in fields.items() if not name.startswith("_")}
            sentry_sdk.capture_event(event, hint=hint)  # type: ignore[arg-type]  # its TypedDict again
        except Exception:
            self.handleError(record)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, whoever made it: a logger of structlog, or one of the standard library."""
    if isinstance(record.msg, Mapping):
        return dict(record.msg)
    return {
        **structlog.contextvars.get_contextvars(),
        **identity(),
        "event": record.getMessage(),
        "exc_info": record.exc_info,
    }


def _failure(given: Any) -> Any:
    """exc_info as Sentry wants it: an exception, or the usual three; None when there is none."""
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple):
        return given if given[1] is not None else None
    return given if isinstance(given, BaseException) else None


def _quietly(_pending: int, _timeout: float) -> None:
    """Sentry would tell stderr that it is about to send something."""


def scrub(event: dict[str, Any], _hint: object) -> dict[str, Any]:
    """Apply the redaction of our logs to everything that would be sent."""
    return {name: clean(name, value) for name, value in event.items()}
