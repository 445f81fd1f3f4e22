import shutil
import subprocess
from pathlib import Path

import pytest

from cluster.cli import quality
from cluster.cli.quality import Command, GeneratedFresh, LocksFresh, Outcome
from cluster.settings import ROOT
from tests.fixtures.command import MobulaCommand


class Fixed:
    """A check whose answer is known."""

    def __init__(self, name: str, *, ok: bool) -> None:
        self.name, self.ok = name, ok

    def run(self) -> Outcome:
        return Outcome(self.name, self.ok, 0.1, "" if self.ok else f"{self.name} says why")


def test_all_checks_run_even_if_one_fails(mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "FrontendPackages", lambda: Fixed("front end packages", ok=True))
    monkeypatch.setattr(quality, "checks", lambda: [Fixed("types", ok=False), Fixed("style", ok=True)])
    shown = mobula.run("check")
    assert shown.exit_code == 1
    assert "types says why" in shown.output
    assert "style" in shown.output
    assert "check failed: types" in shown.output
    monkeypatch.setattr(quality, "checks", lambda: [Fixed("style", ok=True)])
    assert mobula.run("check").exit_code == 0
    monkeypatch.setattr(quality, "FrontendPackages", lambda: Fixed("front end packages", ok=False))
    assert "check failed: front end packages" in mobula.run("check").output


def test_every_promised_check_is_in_the_list() -> None:
    names = " ".join(check.name for check in quality.checks())
    for subject in ("mypy", "ruff check", "ruff format", "import", "migrations", "generated", "lock", "house rules"):
        assert subject in names
    for script in ("typecheck", "lint", "generate:check"):
        assert f"front end {script}" in names


def test_a_failing_or_missing_program_is_not_ok() -> None:
    assert not Command("false", ["false"]).run().ok
    missing = Command("missing", ["/no/such/program"]).run()
    assert not missing.ok
    assert "/no/such/program" in missing.output


def test_a_stale_generated_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality.generated, "stale", lambda: [ROOT / "openapi.json"])
    outcome = GeneratedFresh().run()
    assert not outcome.ok
    assert "openapi.json" in outcome.output


def test_a_lock_that_misses_a_dependency_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("pyproject.toml", *quality.LOCKS):
        shutil.copy(ROOT / file, tmp_path)
    monkeypatch.setattr(quality, "ROOT", tmp_path)

    def compile_offline(file: str, target: Path, *, capture: bool) -> subprocess.CompletedProcess[str]:
        if "typer" not in (tmp_path / "pyproject.toml").read_text():
            target.write_text(target.read_text() + "# changed\n")
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(quality, "_compile", compile_offline)
    assert LocksFresh().run().ok
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace("typer", "other"))
    assert "requirements.lock" in LocksFresh().run().output
