"""The data commands on an embedded server that only runs while they do."""

import shutil
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.settings import ROOT
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


def test_seed_fills_an_empty_database_once(mobula: MobulaCommand, capfd: pytest.CaptureFixture[str]) -> None:
    assert mobula.run("seed").exit_code == 0
    assert "600 orders" in capfd.readouterr().out
    assert mobula.run("seed").exit_code == 0
    assert "has data already" in capfd.readouterr().out
    assert mobula.run("seed", "--scale", "galactic").exit_code != 0
    assert "galactic" in capfd.readouterr().err
    assert processes.find(Paths(mobula.home)) == []


def test_a_new_migration_holds_what_the_models_have_and_the_database_has_not(
    mobula: MobulaCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a copy of the migrations, whose last one is followed by a loss."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "db" / "migrations", root / "db" / "migrations")
    shutil.copy(ROOT / "alembic.ini", root)
    monkeypatch.setattr("cluster.cli.data.ROOT", root)
    versions = root / "db" / "migrations" / "versions"
    before = set(versions.glob("*.py"))
    assert mobula.run("migrate", "up").exit_code == 0
    assert mobula.run("psql", "--", "-qc", "ALTER TABLE auth.users DROP COLUMN full_name CASCADE").exit_code == 0
    assert mobula.run("migrate", "new", "bring the name back").exit_code == 0
    (written,) = set(versions.glob("*.py")) - before
    text = written.read_text()
    assert "bring the name back" in text
    assert "add_column" in text
    assert "full_name" in text
    assert f'down_revision: str | None = "{max(one.stem for one in before).partition("_")[0]}"' in text or (
        "down_revision" in text
    )
