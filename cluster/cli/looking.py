"""status, doctor, logs."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cluster.cli.printing import console, fail
from cluster.cli.setup import home
from cluster.cli.up import print_where
from cluster.paths import Paths
from cluster.ports import recorded
from cluster.ray_runtime import generations
from cluster.ray_runtime.generations import Generation
from cluster.settings import Settings
from cluster.stack import budget, checks, daemon_state, log_reading, plan, rules
from cluster.stack.plan import Options
from cluster.stack.problems import sentence
from cluster.stack.runner import EXPECTED
from cluster.stack.waiting import status_of

SERVICE_LOGS = (
    "daemon",
    "postgres",
    "valkey",
    "ray-start",
    "gcs",
    "migrate",
    "seed",
    "deploy",
    "frontend-build",
    "frontend",
)

PROCESSES_SHOWN = 20
"""Of our processes, those that spoke last; the others are shown by name."""


def status() -> None:
    """What runs, whether it answers, and addresses for other tools."""
    paths = Paths(home())
    found = daemon_state.read_status(paths)
    if daemon_state.holder(paths) is None or not found:
        console.print("Mobula does not run here. ./mobula up -d starts it.")
        raise typer.Exit(3)
    answer = status_of(f"{found['api']}/health")
    console.print(f"state      {found['state']} ({found.get('environment', 'development')})")
    console.print(f"health     {answer or 'no answer'} ({found['api']}/health)")
    for finding in rules.in_force(found["api"], Settings()):
        console.print(f"rules      {finding.what}" + (f"  → {finding.remedy}" if finding.remedy else ""), markup=False)
    for name, service in found["services"].items():
        shown = "  ".join(f"{key} {value}" for key, value in service.items())
        console.print(f"{name:<10} {shown}")
    console.print(f"{'haproxy':<10} {haproxy_line(generations.living(generations.directory(paths)), time.time())}")
    block = recorded(paths.ports_file)
    settings = Settings()
    if block is not None:
        console.print("\nFor other tools (secrets included, keep them to yourself):")
        console.print(f"  Postgres   {settings.database_url.get_secret_value()}", markup=False)
        console.print(f"  Valkey     {settings.redis_url.get_secret_value()}", markup=False)
        console.print(f"  Ray        {found['ray_address']} (token in {paths.secrets / 'ray_token'})", markup=False)
        key = paths.secrets / "server_api_key"
        console.print(f"  Server API {found['api']}/api (X-API-Key in {key})", markup=False)
        console.print(f"  HAProxy    http://127.0.0.1:{block.service('haproxy_stats')}/stats", markup=False)
    print_where(paths)
    raise typer.Exit(0 if answer in range(200, 300) else 1)


def haproxy_line(living: Sequence[Generation], now: float) -> str:
    """The HAProxy processes of this node: old ones stay until their sockets are gone."""
    if not living:
        return "no process"
    *old, current = living
    line = f"pid {current.pid}"
    if old:
        hours = (now - old[0].started) / 3600
        line += f"  {len(old)} old, kept for their sockets (the oldest is {hours:.1f} h old)"
    return line


def doctor() -> None:
    """Look at everything that could be in the way, and say what to do."""
    paths = Paths(home())
    running = daemon_state.holder(paths) is not None
    try:
        planned = plan.make(Options(home=paths.home), record=False) if not running else None
    except EXPECTED as problem:
        fail(sentence(problem, paths.home))
        raise typer.Exit(1) from None
    bad = 0
    if planned is None:
        console.print("Mobula runs; ./mobula status says more.")
        api = daemon_state.read_status(paths).get("api", "")
        findings = [checks.memory(), checks.shared_memory(), *rules.in_force(api, Settings())]
    else:
        findings = checks.all_checks(planned)
        needed, more = (budget.budget(planned.settings, nodes=nodes) for nodes in (1, 2))
        each = f"each node that joins adds {more.total - needed.total}"
        findings.append(checks.Finding("ok", f"database budget: {needed}; {each}"))
        findings += rules.namespaces_file(planned.settings)
    for one in findings:
        mark = {"ok": "[green]✓[/green]", "warning": "[yellow]![/yellow]", "error": "[red]✗[/red]"}[one.level]
        console.print(f"{mark} ", end="")
        console.print(one.what + (f"  → {one.remedy}" if one.remedy else ""), markup=False)
        bad += one.level == "error"
    raise typer.Exit(1 if bad else 0)


def logs(
    service: Annotated[
        str | None, typer.Argument(help="api, realtime, host, agent, worker, supervisor, postgres, valkey, frontend …")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many lines of each.")] = 20,
    errors: Annotated[bool, typer.Option("--errors", "-e", help="Only what went wrong in our own processes.")] = False,
) -> None:
    """Print the end of the logs of everything, or of one part: services first, then our processes, by time."""
    paths = Paths(home())

    def found() -> tuple[list[Path], list[Path]]:
        """Files of services and of Ray, and files of our processes."""
        wanted = [path for path in daemon_state.logs(paths) if service is None or service in str(path.name).lower()]
        ours = [path for path in wanted if path.parent == paths.process_logs]
        others = [path for path in wanted if path.parent != paths.process_logs and not errors]
        if service is None:
            others = [path for path in others if path.stem in SERVICE_LOGS or "serve" in path.parts]
            ours = ours if errors else ours[-PROCESSES_SHOWN:]
        return others, ours

    others, ours = found()
    others = [path for path in others if path.stat().st_size]
    if not others and not ours:
        fail(f"no logs{f' with {service!r} in their name' if service else ''} in {paths.logs}")
        raise typer.Exit(1)
    for path in others:
        typer.echo(f"==> {path} <==")
        for record in log_reading.last_records(path, lines):
            typer.echo(record.text)
    if ours:
        typer.echo(f"==> {paths.process_logs}/ <==")
    for record in log_reading.merged(ours, lines, errors_only=errors):
        typer.echo(record.text)
    if follow:
        for records in log_reading.follow(lambda: [path for part in found() for path in part], errors_only=errors):
            for record in records:
                typer.echo(record.text)
            log_reading.wait()
