"""`test`: the four tiers, each with what it needs, nothing left running."""

import os
import shutil
from typing import Annotated

import typer

from cluster.cli.node import install_packages
from cluster.cli.toolbox import FRONTEND, Outcome, Step, console, report, run, summarise, tool
from cluster.services.errors import ServiceError
from cluster.settings import ROOT

TIERS = ("unit", "integration", "cluster", "e2e")

CORE = ("actors/protocol/*", "actors/links/*", "actors/caches/*", "db/*")
"""Where a branch that no test takes is a fault that nobody has seen yet."""

CORE_FLOOR = 85
"""Per cent of lines and branches of the core that the unit and integration tiers must run."""


def run_tests(
    tiers: Annotated[
        list[str] | None, typer.Argument(help="unit, integration, cluster, e2e; all when none is named.")
    ] = None,
    *,
    select: Annotated[str, typer.Option("-k", help="Only tests that match, as for pytest.")] = "",
) -> None:
    """Run the tests, all tiers or those named."""
    chosen = tiers or list(TIERS)
    unknown = [tier for tier in chosen if tier not in TIERS]
    if unknown:
        console.print(f"[red]no tier is called {', '.join(unknown)}[/]: there are {', '.join(TIERS)}")
        raise typer.Exit(2)
    outcomes: list[Outcome] = []
    if {"unit", "e2e", "cluster"} & set(chosen):
        outcomes += _packages()
    measured = [tier for tier in chosen if tier in ("unit", "integration")]
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    for tier in TIERS:
        if tier not in chosen:
            continue
        outcomes.append(_python_tier(tier, select, cover=tier in measured))
        if tier == "unit" and not select:
            outcomes.append(_shown(Step("front end unit", ["npm", "run", "--silent", "test"], FRONTEND)))
    if measured and not select:
        outcomes += _coverage(floor=set(measured) == {"unit", "integration"})
    raise typer.Exit(summarise("test", outcomes))


def _packages() -> list[Outcome]:
    try:
        installed = install_packages()
    except ServiceError as problem:
        installed = Outcome(Step("front end packages", []), 1, 0.0, str(problem))
    if installed is None:
        return []
    report(installed)
    return [installed]


def _python_tier(tier: str, select: str, *, cover: bool) -> Outcome:
    argv = [tool("pytest"), f"tests/{tier}", "-q", "--no-header", "-p", "no:cacheprovider", "--durations=5"]
    if tier in ("unit", "integration"):
        argv += ["-n", "2", "--dist", "loadfile"]  # two cores; a file's tests share their fixtures
    if cover:
        argv += ["--cov", "--cov-branch", "--cov-append", "--cov-report="]
    if select:
        argv += ["-k", select]
    env = {"ENVIRONMENT": "test"} if tier in ("unit", "integration") else {}
    outcome = _shown(Step(tier, argv, env=env))
    if outcome.status == 5 and select:
        return Outcome(outcome.step, 0, outcome.seconds, outcome.output)  # nothing in this tier matches -k
    return outcome


def _shown(step: Step) -> Outcome:
    console.rule(f"[bold]{step.name}", align="left")
    outcome = run(step, show=True)
    report(outcome)
    return outcome


def _coverage(*, floor: bool) -> list[Outcome]:
    """Write the reports; hold the core to its floor when both measured tiers ran."""
    run(Step("coverage.xml", [tool("coverage"), "xml", "-q"]))
    run(Step("htmlcov", [tool("coverage"), "html", "-q"]))
    outcomes = [_shown(Step("coverage", [tool("coverage"), "report", "--skip-covered", "--format=total"]))]
    if floor:
        argv = [
            tool("coverage"),
            "report",
            f"--include={','.join(CORE)}",
            f"--fail-under={CORE_FLOOR}",
            "--format=total",
        ]
        outcomes.append(_shown(Step(f"branch coverage of the core ≥ {CORE_FLOOR} %", argv)))
    return outcomes


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    # Coloured output survives into CI's log only where the log is a terminal.
    if os.environ.get("CI") and not shutil.get_terminal_size().columns:
        os.environ.setdefault("NO_COLOR", "1")
    app.command("test")(run_tests)
