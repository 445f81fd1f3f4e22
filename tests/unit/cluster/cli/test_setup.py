import os
from pathlib import Path

import pytest
import typer

from cluster.cli import setup
from cluster.paths import Paths
from cluster.ray_runtime.environment import MARKER
from cluster.settings import ROOT
from cluster.stack import daemon_state
from cluster.stack.plan import Options, make
from tests.fixtures.command import MobulaCommand


def test_state_is_in_the_checkout_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    assert setup.home() == tmp_path
    monkeypatch.delenv("MOBULA_HOME")
    assert setup.home() == ROOT / ".mobula"


def test_a_command_that_needs_the_stack_says_how_to_start_it(
    mobula: MobulaCommand, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        setup.require_stack()
    assert "./mobula up -d" in capsys.readouterr().err


def test_joining_processes_get_the_checkouts_environment(mobula: MobulaCommand) -> None:
    assert MARKER not in setup.stack_environment() or os.environ.get(MARKER)
    plan = make(Options(home=mobula.home), {"PATH": "/bin"})
    env = setup.stack_environment()
    assert env[MARKER] == str(Paths(mobula.home).home)
    assert env["MOBULA_RAY_ADDRESS"] == plan.env["MOBULA_RAY_ADDRESS"]


def test_the_front_end_belongs_to_the_checkout(mobula: MobulaCommand) -> None:
    page = setup.frontend()
    assert page.folder == ROOT / "frontend"
    assert not page.is_running()
    assert not Paths(mobula.home).state_env.exists(), "that is for `up` to write"


def test_a_command_is_in_the_environment_of_the_stack_that_runs(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Options(home=mobula.home), {"PATH": "/bin"})
    paths = Paths(mobula.home)
    monkeypatch.setenv("ENVIRONMENT", "development")
    daemon_state.write_status(paths, {"environment": "production"})
    assert setup.stack_environment()["ENVIRONMENT"] == "development"
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    assert setup.stack_environment()["ENVIRONMENT"] == "production"
    lock.release()
