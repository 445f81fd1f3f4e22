import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

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


def test_fix_formats_and_writes_what_is_generated(
    mobula: MobulaCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ruff is the real one; the other generators are asked and write nothing here."""
    asked: list[list[str]] = []
    run = subprocess.run

    def only_ruff(argv: list[str], **options: Any) -> Any:
        if Path(argv[0]).name == "ruff":
            return run(argv, **options)
        asked.append(argv)
        return subprocess.CompletedProcess(argv, 0)

    (tmp_path / "ugly.py").write_text("import os\nx  =  {  'a':1 }\n")
    (tmp_path / "frontend" / "node_modules").mkdir(parents=True)
    monkeypatch.setattr(quality, "ROOT", tmp_path)
    monkeypatch.setattr(quality, "FRONTEND", tmp_path / "frontend")
    monkeypatch.setattr(quality.generated, "write_all", lambda: [tmp_path / "openapi.json"])
    monkeypatch.setattr(quality.subprocess, "run", only_ruff)
    monkeypatch.setattr(quality.shutil, "which", lambda name: f"/usr/bin/{name}")
    shown = mobula.run("fix")
    assert shown.exit_code == 0
    assert (tmp_path / "ugly.py").read_text() == 'x = {"a": 1}\n'
    assert "wrote openapi.json" in shown.output
    assert [argv[-1] for argv in asked] == ["serve_app.reference", "generate", "format"]


def test_hooks_are_installed_into_the_checkout(
    mobula: MobulaCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality, "ROOT", tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert mobula.run("hooks").exit_code != 0, "no repository"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    assert mobula.run("hooks").exit_code == 0
    hook = tmp_path / ".git" / "hooks" / "pre-commit"
    assert hook.stat().st_mode & 0o100
    assert "pre-commit" in hook.read_text()


def test_every_local_hook_starts_a_program_that_is_installed_here() -> None:
    """A hook that cannot start fails every commit; nothing is fetched by any of them."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert {one["repo"] for one in repositories} == {"local"}
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        program = hook["entry"].split()[0]
        found = ROOT / program if program.startswith(".venv/") else shutil.which(program)
        assert found, hook["id"]
        assert not program.startswith(".venv/") or (quality.BIN / Path(program).name).exists(), hook["id"]
