"""check, fix, hooks, lock."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import typer

from cluster.cli import generated
from cluster.cli.printing import console, show
from cluster.cli.setup import frontend
from cluster.settings import ROOT
from cluster.stack.checks import MIN_NODE, node_version
from cluster.stack.progress import Progress
from cluster.stack.runner import EXPECTED

BIN = Path(sys.executable).parent
FRONTEND = ROOT / "frontend"

LOCKS = {"requirements-dev.lock": ["--extra", "dev"], "requirements.lock": ["-c", "requirements-dev.lock"]}
"""The development lock is what `./mobula` installs; the other is the part of it that a production image needs."""


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


class FrontendPackages:
    """node_modules is what the lock file says; the front end's checks need it."""

    name = "front end packages"

    def run(self) -> Outcome:
        """Install them, unless that has been done for this lock file."""
        began = time.monotonic()
        try:
            frontend().install(Progress(show))
        except EXPECTED as problem:
            return Outcome(self.name, False, time.monotonic() - began, str(problem))
        return Outcome(self.name, True, time.monotonic() - began)


class GeneratedFresh:
    """What generators write is what is committed: settings pages, openapi.json, frame schemas."""

    name = "generated files are fresh"

    def run(self) -> Outcome:
        """Render and compare."""
        began = time.monotonic()
        try:
            late = [str(path.relative_to(ROOT)) for path in generated.stale()]
        except subprocess.CalledProcessError as problem:
            return Outcome(self.name, False, time.monotonic() - began, str(problem))
        output = "stale: " + ", ".join(late) + " (./mobula fix)" if late else ""
        return Outcome(self.name, not late, time.monotonic() - began, output)


class LocksFresh:
    """The lock files are what pyproject.toml asks for."""

    name = "lock files are fresh"

    def run(self) -> Outcome:
        """Resolve again, keeping every pin that still fits, and compare."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            for file in LOCKS:
                shutil.copy(ROOT / file, folder)
            for file in LOCKS:
                done = _compile(file, Path(folder) / file, capture=True)
                if done.returncode != 0:
                    return Outcome(self.name, False, time.monotonic() - began, done.stderr)
            late = [file for file in LOCKS if (Path(folder) / file).read_bytes() != (ROOT / file).read_bytes()]
        output = "stale: " + ", ".join(late) + " (./mobula lock)" if late else ""
        return Outcome(self.name, not late, time.monotonic() - began, output)


class MigrationsMatch:
    """Models and migrations describe the same database: checked on a database of its own."""

    name = "migrations match models"

    def run(self) -> Outcome:
        """Migrate an empty database forward and let Alembic compare."""
        began = time.monotonic()
        script = (
            "import os, tempfile, pathlib\n"
            "from cluster.services.postgres import EmbeddedPostgres\n"
            "from cluster.stack import stop_signals\n"
            "from db import migrate\n"
            "with stop_signals.as_interrupt(), tempfile.TemporaryDirectory() as folder:\n"
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


Check = Command | GeneratedFresh | LocksFresh | MigrationsMatch


def checks() -> list[Check]:
    """Every check, slow ones first, so that two at a time end together."""
    return [
        Command("mypy --strict", [str(BIN / "mypy")]),
        *_npm_scripts(),
        MigrationsMatch(),
        Command("import contracts", [str(BIN / "lint-imports")]),
        Command("ruff check", [str(BIN / "ruff"), "check", "."]),
        Command("ruff format", [str(BIN / "ruff"), "format", "--check", "."]),
        GeneratedFresh(),
        Command("reference pages are fresh", [sys.executable, "-m", "serve_app.reference", "--check"]),
        LocksFresh(),
        Command("house rules", [str(BIN / "pytest"), "-q", "-p", "no:cacheprovider", "tests/unit/test_house_rules.py"]),
    ]


def _npm_scripts() -> list[Command]:
    scripts = ("typecheck", "lint", "generate:check")
    return [Command(f"front end {name}", ["npm", "run", "--silent", name], FRONTEND) for name in scripts]


def check() -> None:
    """Every linter, type check, import contract and freshness check; all run even if one fails."""
    version = node_version()
    if version is None or version < MIN_NODE:
        console.print("[red]✗[/red] the front end's checks need Node 20.19 or later")
        raise typer.Exit(1)
    outcomes = [FrontendPackages().run()]
    _show(outcomes[0])
    with ThreadPoolExecutor(2) as pool:
        for outcome in pool.map(lambda one: one.run(), checks()):
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
    for path in generated.write_all():
        console.print(f"wrote {path.relative_to(ROOT)}")
    subprocess.run([sys.executable, "-m", "serve_app.reference"], cwd=ROOT, check=False)
    if shutil.which("npm") and (FRONTEND / "node_modules").is_dir():
        for script in ("generate", "format"):
            subprocess.run(["npm", "run", "--silent", script], cwd=FRONTEND, check=False)
    console.print("Fixed what tools can fix; ./mobula check shows the rest.")


def hooks() -> None:
    """Install the git hooks of .pre-commit-config.yaml."""
    raise typer.Exit(subprocess.run([str(BIN / "pre-commit"), "install"], cwd=ROOT, check=False).returncode)


def lock() -> None:
    """Write the lock files from pyproject.toml: versions and hashes, no registry's address."""
    for file in LOCKS:
        done = _compile(file, ROOT / file, capture=False)
        if done.returncode != 0:
            raise typer.Exit(done.returncode)
        console.print(f"[green]✓[/green] {file}")
    if shutil.which("npm") and (FRONTEND / "package.json").exists():
        # Also writes down the native packages of platforms that this registry may not carry.
        command = ["npm", "run", "--silent", "lock"]
        raise typer.Exit(subprocess.run(command, cwd=FRONTEND, check=False).returncode)


def _compile(file: str, target: Path, *, capture: bool) -> subprocess.CompletedProcess[str]:
    """Resolve one lock file into `target`, whose pins are kept where they fit."""
    common = ["--generate-hashes", "--universal", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
    command = [str(BIN / "uv"), "pip", "compile", *common, "--python-version", "3.11", "--quiet"]
    command += ["--custom-compile-command", "./mobula lock", *LOCKS[file], "pyproject.toml", "-o", str(target)]
    return subprocess.run(command, cwd=ROOT, check=False, text=True, capture_output=capture)
