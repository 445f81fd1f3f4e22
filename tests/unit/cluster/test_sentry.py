import io
import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from sentry_sdk.transport import Transport

from cluster import logging as mobula_logging
from cluster import sentry
from cluster.settings import Settings


class Recorder(Transport):
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.events.append(envelope.get_event())


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


def test_without_a_dsn_nothing_is_on() -> None:
    assert not sentry.configure(settings(), process="api")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    recorder = Recorder()
    given = settings(sentry_dsn="https://key@sentry.example.invalid/1")
    mobula_logging.configure(given, process="api", stream=io.StringIO())
    assert sentry.configure(given, process="api", transport=recorder)
    yield recorder
    sentry_sdk.init()
    sentry.configure(settings(), process="api")
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    mobula_logging.clear()


def raise_and_log(logger: Any, secret: str, **fields: object) -> None:
    try:
        raise ValueError(f"password={secret}")
    except ValueError:
        logger.exception("it broke", **fields)


def test_an_error_of_ours_carries_its_context_and_no_secret(recorder: Recorder) -> None:
    with mobula_logging.bound(request_id="r-1"):
        raise_and_log(mobula_logging.get_logger("orders"), "hunter2hunter2", order=7, token="abcabc")
    sentry.flush(1.0)
    [event] = recorder.events
    assert event["tags"] == {"process": "api", "node": os.uname().nodename, "request_id": "r-1"}
    assert event["logentry"]["message"] == "it broke"
    assert event["extra"]["order"] == 7
    [failure] = event["exception"]["values"]
    assert failure["type"] == "ValueError"
    assert all("vars" not in frame for frame in failure["stacktrace"]["frames"])
    assert "hunter2" not in str(event)
    assert "abcabc" not in str(event)


def test_an_error_of_the_standard_library_is_reported_likewise(recorder: Recorder) -> None:
    with mobula_logging.bound(job_id="j-1"):
        raise_and_log(logging.getLogger("asyncio"), "hunter2hunter2")
    logging.getLogger("some.library").error("port %d is taken", 8000)
    sentry.flush(1.0)
    first, second = recorder.events
    assert first["tags"]["job_id"] == "j-1"
    assert first["exception"]["values"][0]["type"] == "ValueError"
    assert second["logentry"]["message"] == "port 8000 is taken"
    assert "exception" not in second


def test_warnings_and_its_own_troubles_are_not_reported(recorder: Recorder) -> None:
    mobula_logging.get_logger("orders").warning("slow")
    logging.getLogger("sentry_sdk.errors").error("cannot send")
    sentry.flush(1.0)
    assert recorder.events == []


def test_scrubbing_reaches_every_depth() -> None:
    event = {"request": {"headers": {"Authorization": "Bearer abcdefghijkl"}, "url": "/x?token=hunter2"}}
    assert "hunter2" not in str(sentry.scrub(event, None))
    assert "abcdefghijkl" not in str(sentry.scrub(event, None))
