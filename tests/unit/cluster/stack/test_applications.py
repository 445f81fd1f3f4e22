import os
import sys
from pathlib import Path

import pytest

from cluster.services.errors import ServiceError
from cluster.stack import applications
from cluster.stack.applications import Deployment, run_module
from cluster.stack.progress import Event, Progress


def test_a_module_that_succeeds_answers_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "polite.py").write_text("print('first')\nprint('last')\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert run_module("polite", [], env, tmp_path / "log") == "last"


def test_a_module_that_fails_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "rude.py").write_text("raise SystemExit('no such table: orders')\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with pytest.raises(ServiceError, match="no such table: orders"):
        run_module("rude", [], env, tmp_path / "log")


SPEAKING = """
import sys, json
print(json.dumps({"event": "imported"}), flush=True)
sys.stdin.readline()
print("not json")
print(json.dumps({"event": "running", "application": "api"}))
"""


@pytest.fixture
def fake_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the interpreter that would run cluster.deploy; runs the script that the test wrote."""
    script = tmp_path / "deploy.py"
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(applications.sys, "executable", str(wrapper))
    return script


def test_a_deployment_relays_what_runs(fake_python: Path, tmp_path: Path) -> None:
    fake_python.write_text(SPEAKING)
    events: list[Event] = []
    Deployment({}, tmp_path / "log").go(Progress(events.append))
    assert [event.text for event in events] == ["api runs"]


def test_a_deployment_that_fails_says_why(fake_python: Path, tmp_path: Path) -> None:
    ending = '\nprint(json.dumps({"event": "failed", "message": "constructor raised"}))\nsys.exit(1)\n'
    fake_python.write_text(SPEAKING + ending)
    with pytest.raises(ServiceError, match="constructor raised"):
        Deployment({}, tmp_path / "log").go(Progress())


def test_a_deployment_that_dies_while_importing_shows_its_log(fake_python: Path, tmp_path: Path) -> None:
    fake_python.write_text("import no_such_module\n")
    with pytest.raises(ServiceError, match="no_such_module"):
        Deployment({}, tmp_path / "log").go(Progress())
