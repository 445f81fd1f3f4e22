from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport

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


def test_events_carry_the_process_and_no_secret() -> None:
    recorder = Recorder()
    dsn = "https://key@sentry.example.invalid/1"
    assert sentry.configure(settings(sentry_dsn=dsn), process="api", transport=recorder)
    try:
        secret = "hunter2hunter2"
        try:
            raise ValueError(f"password={secret}")
        except ValueError as error:
            sentry_sdk.capture_exception(error)
        sentry_sdk.flush()
        [event] = recorder.events
        assert event["tags"]["process"] == "api"
        assert "hunter2" not in str(event)
    finally:
        sentry_sdk.init()


def test_scrubbing_reaches_every_depth() -> None:
    event = {"request": {"headers": {"Authorization": "Bearer abcdefghijkl"}, "url": "/x?token=hunter2"}}
    assert "hunter2" not in str(sentry.scrub(event, None))
    assert "abcdefghijkl" not in str(sentry.scrub(event, None))
