"""The command on an embedded server that only runs while it does."""

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from tests.fixtures.command import MobulaCommand

pytestmark = pytest.mark.timeout(240)


def test_a_fresh_installation_gets_its_first_administrator(
    mobula: MobulaCommand, capfd: pytest.CaptureFixture[str]
) -> None:
    assert mobula.run("admin", "boss@example.com").exit_code == 1
    assert "./mobula migrate up" in capfd.readouterr().err
    assert mobula.run("migrate", "up").exit_code == 0
    assert mobula.run("admin", "boss@example.com").exit_code == 0
    assert "/reset-password#mot_" in capfd.readouterr().out
    roles = "SELECT name FROM auth.roles JOIN auth.user_roles ON role_id = roles.id"
    assert mobula.run("psql", "--", "-Atc", roles).exit_code == 0
    assert capfd.readouterr().out.strip() == "admin"
    assert processes.find(Paths(mobula.home)) == []
