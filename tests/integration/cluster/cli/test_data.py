"""The data commands on an embedded server that only runs while they do."""

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from tests.fixtures.command import MobulaCommand

pytestmark = pytest.mark.timeout(240)


def test_migrate_and_psql_leave_nothing_running(mobula: MobulaCommand, capfd: pytest.CaptureFixture[str]) -> None:
    assert mobula.run("migrate", "up").exit_code == 0
    assert mobula.run("migrate", "status").exit_code == 0
    assert "(head)" in capfd.readouterr().out
    assert mobula.run("psql", "--", "-Atc", "SELECT count(*) FROM auth.users").exit_code == 0
    assert capfd.readouterr().out.strip() == "0"
    assert mobula.run("psql", "--", "-c", "SELEC 1").exit_code == 1
    assert mobula.run("migrate", "down").exit_code == 0
    assert processes.find(Paths(mobula.home)) == []


def test_an_unknown_revision_is_an_error(mobula: MobulaCommand, capfd: pytest.CaptureFixture[str]) -> None:
    assert mobula.run("migrate", "up", "nonsense").exit_code != 0
    assert "nonsense" in "".join(capfd.readouterr())


def test_valkey_that_does_not_run_is_said(mobula: MobulaCommand) -> None:
    shown = mobula.run("valkey", "PING")
    assert shown.exit_code == 1
    assert "./mobula up -d" in shown.output
