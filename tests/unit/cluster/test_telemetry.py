"""Processes of their own: what they load, what they leave behind when they end."""

import json
import subprocess
import sys
import time
from pathlib import Path

from cluster.settings import ROOT
from tests.fixtures.collectors import Heard, listening
from tests.fixtures.imports import loaded_by

PROGRAM = """
import os, sys
from cluster import telemetry, tracing
from cluster.logging import get_logger
from cluster.settings import Settings

for _ in range(2):
    telemetry.start(Settings(_env_file=None), process="probe")
with tracing.span("work"):
    try:
        raise ValueError("password=hunter2hunter2")
    except ValueError:
        get_logger("probe").exception("it broke", request_id="r-1")
print("\\n".join(sys.modules))
"""


def run(home: Path, program: str = PROGRAM, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "MOBULA_HOME": str(home), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def on(heard: Heard) -> dict[str, str]:
    return {"OTEL_ENABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": heard.url, "SENTRY_DSN": heard.dsn}


def test_what_is_off_is_not_imported(tmp_path: Path) -> None:
    loaded = set(run(tmp_path).stdout.split())
    assert "cluster.telemetry" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("opentelemetry", "sentry_sdk", "requests")}


def test_neither_transactions_nor_jobs_import_what_is_off() -> None:
    loaded = loaded_by("db.session", "tasks.runner", "actors.agents.launcher")
    assert not {name for name in loaded if name.split(".")[0] in ("opentelemetry", "sentry_sdk")}


def test_a_process_that_ends_has_sent_everything_once(tmp_path: Path) -> None:
    with listening() as heard:
        done = run(tmp_path, **on(heard))
        assert done.returncode == 0, done.stderr
        [span] = heard.spans
        [event] = heard.events
    assert (span.process, span.name, span.parent) == ("mobula-probe", "work", "")
    assert event["tags"]["process"] == "probe"
    assert event["tags"]["request_id"] == "r-1"
    assert event["tags"]["trace_id"] == span.trace
    assert "hunter2" not in json.dumps(event)
    [file] = (tmp_path / "logs" / "processes").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["process started", "it broke"]
    assert lines[1]["trace_id"] == span.trace
    assert "hunter2" not in file.read_text()


def test_a_collector_that_is_not_there_keeps_no_process_from_ending(tmp_path: Path) -> None:
    with listening() as heard:
        nobody = on(heard)
    started = time.monotonic()
    done = run(tmp_path, **nobody)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 30
    [file] = (tmp_path / "logs" / "processes").iterdir()
    assert "it broke" in file.read_text()


def test_an_uncaught_exception_is_in_the_log_and_on_stderr(tmp_path: Path) -> None:
    program = (
        "from cluster import telemetry\nfrom cluster.settings import Settings\nimport threading\n"
        "telemetry.start(Settings(_env_file=None), process='probe')\n"
        "thread = threading.Thread(target=lambda: 1 / 0)\nthread.start(); thread.join()\n"
        "raise LookupError('nobody caught this')"
    )
    done = run(tmp_path, program)
    assert done.returncode == 1
    assert "LookupError" in done.stderr
    [file] = (tmp_path / "logs" / "processes").iterdir()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["level"] for line in lines] == ["info", "critical", "critical"]
    assert "ZeroDivisionError" in lines[1]["exception"]
    assert "nobody caught this" in lines[2]["exception"]
