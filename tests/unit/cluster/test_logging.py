import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from cluster import logging as mobula_logging
from cluster.settings import Settings


class Log:
    """Configured logging whose lines can be read back."""

    def __init__(self, log_format: str = "json") -> None:
        self.stream = io.StringIO()
        settings = Settings(_env_file=None, log_format=log_format)  # type: ignore[call-arg, arg-type]
        mobula_logging.configure(settings, process="api", stream=self.stream)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    mobula_logging.clear()


def test_a_line_is_one_object_with_the_bound_context() -> None:
    log = Log()
    with mobula_logging.bound(request_id="r-1"):
        mobula_logging.get_logger("orders").info("order placed", order_id=7)
    [line] = log.lines
    assert line["event"] == "order placed"
    assert (line["order_id"], line["request_id"], line["process"], line["logger"]) == (7, "r-1", "api", "orders")
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_records_of_the_standard_library_go_the_same_way() -> None:
    log = Log()
    logging.getLogger("some.library").warning("port %d", 8000, extra={"token": "abc"})
    [line] = log.lines
    assert line["event"] == "port 8000"
    assert line["token"] == mobula_logging.REDACTED


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({"authorization": "Bearer abcdefghijkl"}, "abcdefghijkl"),
        ({"headers": {"Cookie": "session=hunter2"}}, "hunter2"),
        ({"detail": [{"new_password": "hunter2"}]}, "hunter2"),
        ({"error": "connect to postgresql://mobula:hunter2@db/x failed"}, "hunter2"),
        ({"note": "sent Bearer abcdefghijkl to them"}, "abcdefghijkl"),
        ({"body": '{"token": "hunter2hunter2"}'}, "hunter2hunter2"),
        ({"jwt": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"}, "c2lnbmF0dXJl"),
    ],
)
def test_secrets_do_not_get_into_logs(fields: dict[str, Any], hidden: str) -> None:
    log = Log()
    mobula_logging.get_logger("x").info("event", **fields)
    assert hidden not in log.stream.getvalue()
    assert mobula_logging.REDACTED in log.stream.getvalue()


def test_numbers_and_flags_stay_readable() -> None:
    assert mobula_logging.clean("token_count", 3) == 3
    assert mobula_logging.clean("has_password", value=True) is True


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_input_cannot_forge_a_line_or_move_the_cursor(log_format: str) -> None:
    log = Log(log_format)
    mobula_logging.get_logger("x").info("login", user="eve\n2026 root logged in\x1b[2J")
    text = log.stream.getvalue()
    assert len(text.splitlines()) == 1
    assert "2026 root logged in" in text
    assert "\x1b[2J" not in text


def test_context_is_forgotten_when_told() -> None:
    log = Log()
    mobula_logging.bind(user="u")
    mobula_logging.clear()
    mobula_logging.get_logger("x").info("event")
    assert "user" not in log.lines[0]
