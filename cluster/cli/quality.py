"""check, fix, hooks, lock."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import typer

from cluster import settings_docs
from cluster.cli.printing import console
from cluster.settings import ROOT
from cluster.stack.checks import MIN_NODE, node_version

BIN = Path(sys.executable).parent
PYTHON_ROOMS = ("serve_app", "actors", "tasks", "db", "cluster", "tests", "loadtests")
FRONTEND = ROOT / "frontend"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check said."""

    name: str
    ok: bool
    seconds: float
    output: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A check that is a program."""

    name: str
    argv: Sequence[str]
    folder: Path = ROOT

    def run(self) -> Outcome:
        """Run it to its end."""
        began = time.monotonic()
        env = {**os.environ, "NEXT_TELEMETRY_DISABLED": "1", "FORCE_COLOR": "0"}
        try:
            done = subprocess.run(
                list(self.argv), cwd=self.folder, env=env, capture_output=True, text=True, check=False
            )
        except OSError as problem:
            return Outcome(self.name, False, time.monotonic() - began, str(problem))
        return Outcome(self.name, done.returncode == 0, time.monotonic() - began, done.stdout + done.stderr)


class SettingsFresh:
    """.env.example and docs/settings.md are what cluster/settings.py says."""

    name = "settings pages are fresh"

    def run(self) -> Outcome:
        """Compare."""
        stale = [
            str(file.relative_to(ROOT))
            for file, content in settings_docs.generated().items()
            if not file.exists() or file.read_text() != content
        ]
        return Outcome(self.name, not stale, 0.0, "stale: " + ", ".join(stale) + " (./mobula fix)" if stale else "")


class MigrationsMatch:
    """Models and migrations describe the same database: checked on a database of its own."""

    name = "migrations match models"

    def run(self) -> Outcome:
        """Migrate an empty database forward and let Alembic compare."""
        began = time.monotonic()
        script = (
            "import os, tempfile, pathlib\n"
            "from cluster.services.postgres import EmbeddedPostgres\n"
            "from db import migrate\n"
            "with tempfile.TemporaryDirectory() as folder:\n"
            "    server = EmbeddedPostgres(pathlib.Path(folder) / 'postgres', password='check')\n"
            "    server.start()\n"
            "    try:\n"
            "        migrate.upgrade(server.dsn)\n"
            "        migrate.check(server.dsn)\n"
            "    finally:\n"
            "        server.stop()\n"
        )
        outcome = Command(self.name, [sys.executable, "-c", script]).run()
        return Outcome(self.name, outcome.ok, time.monotonic() - began, outcome.output)


def checks() -> list[Command | SettingsFresh | MigrationsMatch]:
    """Every check, slow ones first, so that two at a time end together."""
    found: list[Command | SettingsFresh | MigrationsMatch] = [
        Command("mypy --strict", [str(BIN / "mypy")]),
        *_frontend_checks(),
        MigrationsMatch(),
        Command("import contracts", [str(BIN / "lint-imports")]),
        Command("ruff check", [str(BIN / "ruff"), "check", "."]),
        Command("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
        SettingsFresh(),
        Command("house rules", [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", "tests/unit/test_house_rules.py"]),
    ]
    return [*found, *_openapi_check()]


def _openapi_check() -> list[Command]:
    if not (ROOT / "serve_app" / "openapi.py").exists():
        return []
    return [Command("openapi.json is fresh", [sys.executable, "-m", "serve_app.openapi", "--check"])]


def _frontend_checks() -> list[Command]:
    if not (FRONTEND / "node_modules").is_dir():
        return [Command("front end packages", ["npm", "ci", "--no-audit", "--no-fund"], FRONTEND)] + _npm_scripts()
    return _npm_scripts()


def _npm_scripts() -> list[Command]:
    scripts = ("typecheck", "lint", "generate:check")
    return [Command(f"front end {name}", ["npm", "run", "--silent", name], FRONTEND) for name in scripts]


def check() -> None:
    """Every linter, type check, import contract and freshness check; all run even if one fails."""
    version = node_version()
    if version is None or version < MIN_NODE:
        console.print("[red]✗[/red] the front end's checks need Node 20.19 or later")
        raise typer.Exit(1)
    listed = checks()
    first = [one for one in listed if one.name == "front end packages"]
    outcomes = [one.run() for one in first]
    with ThreadPoolExecutor(2) as pool:
        for outcome in pool.map(lambda one: one.run(), [one for one in listed if one not in first]):
            outcomes.append(outcome)
            _show(outcome)
    failed = [outcome.name for outcome in outcomes if not outcome.ok]
    console.print()
    if failed:
        console.print(f"[red]check failed[/red]: {', '.join(failed)}  (./mobula fix repairs what tools can)")
        raise typer.Exit(1)
    console.print(f"[green]check passed[/green]: {len(outcomes)} checks")


def _show(outcome: Outcome) -> None:
    mark = "[green]✓[/green]" if outcome.ok else "[red]✗[/red]"
    console.print(f"{mark} {outcome.name} [dim]{outcome.seconds:.1f} s[/dim]")
    if not outcome.ok:
        console.print(outcome.output.rstrip(), markup=False)


def fix() -> None:
    """Format, and repair what tools can; write generated files."""
    for argv in (["ruff", "check", "--fix", "."], ["ruff", "format", "."]):
        subprocess.run([str(BIN / argv[0]), *argv[1:]], cwd=ROOT, check=False)
    for file, content in settings_docs.generated().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    if (ROOT / "serve_app" / "openapi.py").exists():
        subprocess.run([sys.executable, "-m", "serve_app.openapi"], cwd=ROOT, check=False)
    if shutil.which("npm") and (FRONTEND / "node_modules").is_dir():
        for script in ("generate", "format"):
            subprocess.run(["npm", "run", "--silent", script], cwd=FRONTEND, check=False)
    console.print("Fixed what tools can fix; ./mobula check shows the rest.")


def hooks() -> None:
    """Install the git hooks of .pre-commit-config.yaml."""
    raise typer.Exit(subprocess.run([str(BIN / "pre-commit"), "install"], cwd=ROOT, check=False).returncode)


def lock() -> None:
    """Write the lock files from pyproject.toml: versions and hashes, no registry's address."""
    common = ["--generate-hashes", "--universal", "--no-emit-index-url", "--no-annotate", "--python-version", "3.11"]
    command = [str(BIN / "uv"), "pip", "compile", *common, "--custom-compile-command", "./mobula lock", "--quiet"]
    for file, extras in (("requirements.lock", []), ("requirements-dev.lock", ["--extra", "dev"])):
        done = subprocess.run([*command, *extras, "pyproject.toml", "-o", file], cwd=ROOT, check=False)
        if done.returncode != 0:
            raise typer.Exit(done.returncode)
        console.print(f"[green]✓[/green] {file}")
    npm = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
    if shutil.which("npm") and (FRONTEND / "package.json").exists():
        raise typer.Exit(subprocess.run(npm, cwd=FRONTEND, check=False).returncode)
