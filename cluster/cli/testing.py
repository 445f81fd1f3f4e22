"""`./mobula test`: the tiers in order, each with what it needs, nothing left behind, one summary."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.printing import console, fail
from cluster.cli.setup import frontend
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.services.errors import ServiceError
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.settings import ROOT
from cluster.stack import stop_signals
from cluster.stack.checks import MIN_NODE, node_version
from cluster.stack.progress import Event, Progress

TIERS = ("unit", "integration", "cluster", "e2e")
CORE = "actors/protocol/*,actors/links/*,actors/caches/*,db/*"
"""Where a branch that no test takes is a fault that nobody has seen yet."""

CORE_FLOOR = 85
"""Per cent of lines and branches of the core that the unit and integration tiers must run."""

WORKERS = min(4, os.cpu_count() or 1)
"""Processes of the unit and integration tiers. The tests of the other tiers share one cluster and take turns."""

SLOWEST = ("--durations=20", "--durations-min=10")
"""In CI every tier says which tests made it long."""

NOTHING_COLLECTED = 5
"""pytest's exit status when a tier has no test."""

END_S = 30.0
"""Tests that are interrupted stop what they started in this time, or are killed."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the summary."""

    name: str
    ok: bool
    seconds: float


def run_tests(
    tiers: Annotated[list[str] | None, typer.Argument(help="unit, integration, cluster, e2e; default: all")] = None,
    keyword: Annotated[str | None, typer.Option("-k", help="Passed to pytest.")] = None,
    exit_first: Annotated[bool, typer.Option("-x", help="Stop a tier at its first failure.")] = False,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure branch coverage of the Python rooms.")] = False,
) -> None:
    """Run the tests; sets up what they need and leaves nothing running."""
    unknown = set(tiers or ()) - set(TIERS)
    if unknown:
        fail(f"no such tier: {', '.join(sorted(unknown))} (there are {', '.join(TIERS)})")
        raise typer.Exit(2)
    wanted = [tier for tier in TIERS if not tiers or tier in tiers]
    extra = [*(["-k", keyword] if keyword else []), *(["-x"] if exit_first else [])]
    if os.environ.get("CI"):
        extra += SLOWEST
    if coverage or os.environ.get("CI"):
        extra += ["--cov", "--cov-branch", "--cov-append", "--cov-report="]
        (ROOT / ".coverage").unlink(missing_ok=True)
    results: list[Result] = []
    # Nobody finds again what is in a folder with a random name.
    with stop_signals.as_interrupt(), tempfile.TemporaryDirectory(prefix="mobula-test-") as folder:
        Path(folder).chmod(0o755)  # root lends Postgres another uid, which must be able to walk here
        for tier in wanted:
            results += _run_tier(tier, Path(folder), extra)
    if coverage or os.environ.get("CI"):
        results += _coverage(floor={"unit", "integration"} <= set(wanted) and not keyword)
    console.print()
    for result in results:
        mark = "[green]✓[/green]" if result.ok else "[red]✗[/red]"
        console.print(f"{mark} {result.name:<22} [dim]{result.seconds:.0f} s[/dim]")
    failed = [result.name for result in results if not result.ok]
    if failed:
        console.print(f"[red]tests failed[/red]: {', '.join(failed)}")
        raise typer.Exit(1)
    console.print("[green]tests passed[/green]: " + ", ".join(result.name for result in results))


def _run_tier(tier: str, folder: Path, extra: Sequence[str]) -> list[Result]:
    console.rule(f"{tier} tests")
    if tier == "unit":
        return [_timed("unit", lambda: _pytest("unit", [*_parallel(), *extra], {})), _frontend_tests()]
    if tier == "integration":
        return [_timed("integration", lambda: _integration(folder, extra))]
    if tier == "e2e":
        built = _timed("front end build", _build_frontend)
        if not built.ok:
            return [built]
    # A caller who names a folder keeps it, for its logs: CI uploads them when the tier has failed.
    kept = os.environ.get("MOBULA_TEST_STACK_HOME")
    home = Path(kept).resolve() / tier if kept else folder / f"stack-{tier}"
    return [_timed(tier, lambda: _pytest(tier, extra, {"MOBULA_TEST_STACK_HOME": str(home)}))]


def _pytest(tier: str, extra: Sequence[str], env: dict[str, str]) -> bool:
    folder = ROOT / "tests" / tier
    if not any(folder.rglob("test_*.py")):
        return True
    command = [sys.executable, "-m", "pytest", "-q", str(folder), *extra]
    clean = {name: value for name, value in os.environ.items() if name not in {"RAY_ADDRESS", "MOBULA_HOME"}}
    home_dir = env.get("MOBULA_TEST_STACK_HOME")
    try:
        status = _session(command, {**clean, **env})
    finally:
        # Whatever a crashed or timed-out test session left behind; Ray's logs move beside the others.
        if home_dir is not None and Path(home_dir).exists():
            _, left = processes.end_all(Paths(Path(home_dir)))
            if left:
                fail("still there: " + ", ".join(processes.describe(one) for one in left))
            else:
                Paths(Path(home_dir)).clear_short()
    return status in (0, NOTHING_COLLECTED)


def _session(command: Sequence[str], env: dict[str, str]) -> int:
    """Run pytest to its end. It has a session of its own, so that it is interrupted once, whichever signal we heard."""
    tests = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
    try:
        return tests.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGKILL):
            if tests.returncode is None:
                os.killpg(tests.pid, number)  # not reaped yet, so it is still this group's number
                with contextlib.suppress(subprocess.TimeoutExpired):
                    tests.wait(END_S)


def _parallel() -> list[str]:
    return ["-n", str(WORKERS), "--dist", "loadfile"]


def _integration(folder: Path, extra: Sequence[str]) -> bool:
    """A Postgres and a Valkey for every worker: what it sees of transactions is its own."""
    if os.environ.get("MOBULA_TEST_DATABASE_URL"):
        return _pytest("integration", extra, {})
    servers: dict[str, str] = {}
    with contextlib.ExitStack() as stopped_later:
        try:
            for worker in (f"gw{number}" for number in range(WORKERS)):
                servers.update(_start_servers(folder / worker, worker, stopped_later))
        except ServiceError as problem:
            fail(str(problem))
            return False
        return _pytest("integration", [*_parallel(), *extra], servers)


def _start_servers(folder: Path, worker: str, stopped_later: contextlib.ExitStack) -> dict[str, str]:
    """Their addresses, in the variables in which tests/fixtures/database.py looks for them."""
    # Nothing here outlives the test, so nothing needs to reach the disk.
    fast = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off"}
    folder.mkdir()
    folder.chmod(0o755)  # as the folder of the run
    postgres = EmbeddedPostgres(folder / "postgres", password="test", options=fast, max_connections=300)  # noqa: S106
    valkey = EmbeddedValkey(folder / "valkey", password="test", options={"appendonly": "no"})  # noqa: S106
    for server in (postgres, valkey):
        stopped_later.callback(server.stop)
        server.start()
    return {
        f"MOBULA_TEST_DATABASE_URL_{worker}": postgres.dsn_of("postgres"),
        f"MOBULA_TEST_REDIS_URL_{worker}": valkey.dsn.rsplit("/", 1)[0],
    }


def _coverage(*, floor: bool) -> list[Result]:
    """Write the reports; hold the core to its floor when both tiers that measure it ran."""
    report = [sys.executable, "-m", "coverage"]
    for command in (["xml", "-q"], ["html", "-q"], ["report", "--skip-covered"]):
        subprocess.run([*report, *command], cwd=ROOT, check=False)
    if not floor:
        return []
    held = [*report, "report", f"--include={CORE}", f"--fail-under={CORE_FLOOR}", "--format=total"]
    name = f"core coverage ≥ {CORE_FLOOR} %"
    return [_timed(name, lambda: subprocess.run(held, cwd=ROOT, check=False).returncode == 0)]


def _say(event: Event) -> None:
    console.print(f"[dim]{event.text}[/dim]")


def _frontend_tests() -> Result:
    def run() -> bool:
        if (node_version() or ()) < MIN_NODE:
            fail("the front end's tests need Node 20.19 or later")
            return False
        page = frontend()
        page.install(Progress(_say))
        return (
            subprocess.run(
                ["npm", "test", "--silent"], cwd=page.folder, env={**os.environ, "CI": "true"}, check=False
            ).returncode
            == 0
        )

    return _timed("front end unit", run)


def _build_frontend() -> bool:
    page = frontend()
    page.install(Progress(_say))
    page.build(Progress(_say))
    return True


def _timed(name: str, work: Callable[[], bool]) -> Result:
    began = time.monotonic()
    try:
        ok = work()
    except (ServiceError, OSError) as problem:
        fail(str(problem))
        ok = False
    return Result(name, ok, time.monotonic() - began)
