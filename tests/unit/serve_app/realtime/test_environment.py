from typing import Any

import pytest
from pydantic import ValidationError

from cluster.settings import Settings
from serve_app.realtime.environment import Limits


def settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **values)


def test_limits_are_what_is_configured() -> None:
    limits = Limits.from_settings(
        settings(
            realtime_stale_seconds=3,
            realtime_ping_seconds=40,
            realtime_pong_seconds=9,
            realtime_max_channels=5,
            realtime_max_errors_per_minute=7,
        )
    )
    assert (limits.stale_after_s, limits.ping_s, limits.pong_s) == (3, 40, 9)
    assert (limits.channels, limits.errors_per_minute) == (5, 7)


def test_the_defaults_are_those_of_the_class() -> None:
    assert Limits.from_settings(settings()) == Limits()


def test_a_pong_must_be_due_before_the_next_ping() -> None:
    with pytest.raises(ValidationError, match="REALTIME_PONG_SECONDS"):
        settings(realtime_ping_seconds=5, realtime_pong_seconds=5)
