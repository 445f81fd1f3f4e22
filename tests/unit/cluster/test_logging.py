import io
import json
import logging
import logging.handlers
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
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
    foreign = {name: logging.getLogger(name) for name in mobula_logging.TAKEN_OVER}
    before = {name: (logger.handlers[:], logger.propagate, logger.filters[:]) for name, logger in foreign.items()}
    hooks = sys.excepthook, threading.excepthook
    yield
    sys.excepthook, threading.excepthook = hooks
    for name, logger in foreign.items():
        logger.handlers[:], logger.propagate, logger.filters[:] = before[name]
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
        ({"link": "https://shop.test/reset-password#mot_hunter2-hunter_2"}, "hunter"),
        ({"note": "it sent mrt_hunter2-hunter_2 again"}, "hunter"),
        ({"note": "it sent sk_live_x7Kd02Qa_hunter2-hunter_2_0a1b2c3d"}, "hunter"),
        ({"note": "stored $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aHVudGVyMg"}, "aHVudGVyMg"),
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


def own_file(home: Path) -> Path:
    [file] = (home / "logs" / "processes").iterdir()
    return file


def test_a_process_writes_a_file_of_its_own_at_once(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, mobula_home=tmp_path)  # type: ignore[call-arg]
    mobula_logging.configure(settings, process="api")
    mobula_logging.get_logger("orders").info("order placed", token="abc")
    file = own_file(tmp_path)
    assert file.name == f"api-{os.getpid()}.log"
    [line] = [json.loads(text) for text in file.read_text().splitlines()]
    assert (line["event"], line["process"], line["pid"]) == ("order placed", "api", os.getpid())
    assert line["node"]
    assert line["token"] == mobula_logging.REDACTED
    mobula_logging.sink().write('{"event": "request"}\n')
    assert len(file.read_text().splitlines()) == 2


def test_loggers_with_handlers_of_their_own_are_taken_over(tmp_path: Path) -> None:
    held_back = logging.handlers.MemoryHandler(1000)
    serve, uvicorn = logging.getLogger("ray.serve"), logging.getLogger("uvicorn.error")
    serve.addHandler(held_back)
    serve.propagate = uvicorn.propagate = False
    serve.setLevel(logging.INFO)
    mobula_logging.configure(Settings(_env_file=None, mobula_home=tmp_path), process="api")  # type: ignore[call-arg]
    serve.info("replica starts")
    serve.info("GET / 200", extra={"serve_access_log": True})
    uvicorn.error("cannot listen")
    lines = [json.loads(text) for text in own_file(tmp_path).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["replica starts", "cannot listen"]
    assert held_back.buffer == []


def test_without_a_place_for_a_file_lines_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("in the way")
    mobula_logging.configure(Settings(_env_file=None, mobula_home=tmp_path), process="api")  # type: ignore[call-arg]
    mobula_logging.get_logger("orders").info("order placed")
    assert "order placed" in capsys.readouterr().err
