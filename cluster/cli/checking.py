"""`check`, `fix`, `hooks` and `lock`: everything that tools can say about the code without running it."""

import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli import generated
from cluster.cli.node import install_packages
from cluster.cli.toolbox import FRONTEND, Outcome, Step, console, report, run, run_all, summarise, tool
from cluster.services.errors import ServiceError
from cluster.settings import ROOT

LOCKS = {"requirements-dev.lock": ["--extra", "dev"], "requirements.lock": ["-c", "requirements-dev.lock"]}
"""The development lock is what `./mobula` installs; the other is its part that a production image needs."""


def _npm(script: str, name: str) -> Step:
    return Step(name, ["npm", "run", "--silent", script], FRONTEND)


def python_checks() -> list[Step]:
    """Slow ones first, so that they overlap with the rest."""
    return [
        Step("types (mypy --strict)", [tool("mypy")]),
        Step("models and migrations agree", [sys.executable, "-m", "cluster.cli.migrations_check"]),
        Step("generated files", [sys.executable, "-m", "cluster.cli.generated"]),
        Step("reference pages", [sys.executable, "-m", "serve_app.reference", "--check"]),
        Step("import contracts", [tool("lint-imports")]),
        Step("style (ruff check)", [tool("ruff"), "check", "."]),
        Step("format (ruff format)", [tool("ruff"), "format", "--check", "."]),
        Step("lock files", [sys.executable, "-m", "cluster.cli.main", "lock", "--check"]),
        Step("house rules", [tool("pytest"), "-q", "--no-header", "tests/unit/test_house_rules.py"]),
    ]


def frontend_checks() -> list[Step]:
    """Need node_modules."""
    return [
        _npm("generate:check", "front end: types generated from openapi.json"),
        _npm("typecheck", "front end: types (tsc)"),
        _npm("lint", "front end: style (eslint, prettier)"),
    ]


def check() -> None:
    """Run every linter, type check, import contract and freshness check."""
    outcomes: list[Outcome] = []
    try:
        installed = install_packages()
    except ServiceError as problem:
        outcomes.append(Outcome(Step("front end packages", []), 1, 0.0, str(problem)))
        report(outcomes[-1])
    else:
        if installed is not None:
            outcomes.append(installed)
            report(installed)
    ready = not any(outcome.status for outcome in outcomes)
    outcomes += run_all([*python_checks(), *(frontend_checks() if ready else [])])
    raise typer.Exit(summarise("check", outcomes))


def fix() -> None:
    """Format and repair what tools can; bring generated files up to date."""
    outcomes = [
        run(Step("ruff check --fix", [tool("ruff"), "check", "--fix", "."])),
        run(Step("ruff format", [tool("ruff"), "format", "."])),
    ]
    for outcome in outcomes:
        report(outcome)
    for path in generated.write_all():
        console.print(f"wrote {path.relative_to(ROOT)}")
    outcomes += run_all([Step("reference pages", [sys.executable, "-m", "serve_app.reference"])])
    installed = install_packages()
    if installed is None or installed.status == 0:
        outcomes += run_all([_npm("generate", "front end: generate"), _npm("format", "front end: format")], at_once=1)
    raise typer.Exit(summarise("fix", outcomes))


def hooks() -> None:
    """Install the pre-commit hooks of .pre-commit-config.yaml into this checkout."""
    outcome = run(Step("pre-commit install", [tool("pre-commit"), "install"]), show=True)
    raise typer.Exit(outcome.status)


def lock(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when a lock file is out of date.")
    ] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions that fit.")] = False,
) -> None:
    """Write the lock files, hashed, from pyproject.toml."""
    late = []
    for name, extra in LOCKS.items():
        committed = ROOT / name
        with tempfile.TemporaryDirectory(dir=ROOT, prefix=".lock-") as folder:
            target = Path(folder) / name
            if committed.exists() and not upgrade:
                target.write_bytes(committed.read_bytes())  # pins that still fit are kept
            argv = [
                *(tool("uv"), "pip", "compile", "--quiet", "--generate-hashes", "--universal", "--no-annotate"),
                *("--python-version", "3.11", "--no-emit-index-url", "--no-emit-find-links"),
                *("--custom-compile-command", "./mobula lock", *extra, "pyproject.toml", "-o", str(target)),
            ]
            outcome = run(Step(name, argv))
            if outcome.status != 0:
                report(outcome)
                raise typer.Exit(1)
            if not committed.exists() or committed.read_bytes() != target.read_bytes():
                late.append(name)
                if not check:
                    committed.write_bytes(target.read_bytes())
    for name in late:
        console.print(f"{name} is not up to date: ./mobula lock" if check else f"wrote {name}")
    raise typer.Exit(1 if late and check else 0)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (check, fix, hooks, lock):
        app.command()(command)
