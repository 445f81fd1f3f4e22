"""up, dev, down, redeploy."""

import subprocess
import sys
from typing import Annotated, Any

import typer

from cluster import names
from cluster.cli.printing import console, fail, show
from cluster.cli.setup import home, require_stack, stack_environment
from cluster.cli.stopping import stop_everything
from cluster.paths import Paths
from cluster.settings import ROOT
from cluster.stack import daemon_state, runner
from cluster.stack.daemon_state import AlreadyRunning
from cluster.stack.external import DEMO_ADDRESS
from cluster.stack.plan import PRODUCTION, Options
from cluster.stack.progress import Event

DEMO_ACCOUNTS = f"{DEMO_ADDRESS} (or admin@, operator@, analyst@, lin@)"
"""db/seed makes them, all with the one generated password."""

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when everything answers; stop with down.")]
NoFrontend = Annotated[bool, typer.Option("--no-frontend", help="Without the Next.js server.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Delete this checkout's data first.")]
Port = Annotated[
    int | None, typer.Option("--port", help="Port of REST and WebSocket; 8010 brings the front end to 3010.")
]
FrontendPort = Annotated[int | None, typer.Option("--frontend-port", help="Port of the front end.")]
Production = Annotated[bool, typer.Option("--production", help="Refuse weak secrets, no demo accounts.")]
NoSeed = Annotated[bool, typer.Option("--no-seed", help="No demo data.")]


def up(
    detach: Detach = False,
    no_frontend: NoFrontend = False,
    fresh: Fresh = False,
    port: Port = None,
    frontend_port: FrontendPort = None,
    production: Production = False,
    no_seed: NoSeed = False,
) -> None:
    """Start everything and say where it is."""
    options = Options(
        home=home(),
        http_port=port,
        frontend_port=frontend_port,
        frontend=not no_frontend,
        production=production,
        fresh=fresh,
        seed=not no_seed,
    )
    raise typer.Exit(start(options, detach=detach))


def dev(
    fresh: Fresh = False,
    port: Port = None,
    frontend_port: FrontendPort = None,
    no_frontend: NoFrontend = False,
) -> None:
    """Start everything with Next's development server; api, agents and shard hosts run anew when their code changes."""
    options = Options(
        home=home(),
        http_port=port,
        frontend_port=frontend_port,
        frontend=not no_frontend,
        development=True,
        fresh=fresh,
    )
    raise typer.Exit(start(options, detach=False))


def start(options: Options, *, detach: bool) -> int:
    """Start in the foreground or detached. Returns the exit status."""
    paths = Paths(options.home)
    if daemon_state.holder(paths) is not None:
        console.print("Mobula runs already in this checkout.")
        print_where(paths)
        unmet = _unmet(options, daemon_state.read_status(paths))
        if unmet:
            fail(f"it runs without {' and '.join(unmet)}: ./mobula down first")
        return 1 if unmet else 0
    console.print(f"[bold]Mobula[/bold] in {options.home}")

    def listener(event: Event) -> None:
        show(event)
        if event.state == "ready":
            print_where(paths)
            if not detach:
                console.print("[dim]Ctrl-C stops everything.[/dim]")

    try:
        if detach:
            return runner.detach(options, listener)
        paths.prepare()
        status = runner.run(options, listener)
    except AlreadyRunning as problem:
        fail(str(problem))
        return 1
    if status in (0, 130):
        console.print("Everything is stopped.")
    return status


def _unmet(options: Options, status: dict[str, Any]) -> list[str]:
    """Options that the stack which runs already does not fulfil."""
    asked = {
        "--fresh": options.fresh,
        "--production": options.production and status.get("environment") != PRODUCTION,
        "--port": options.http_port is not None and not str(status.get("api", "")).endswith(f":{options.http_port}"),
        "--frontend-port": options.frontend_port is not None
        and not str(status.get("frontend") or "").endswith(f":{options.frontend_port}"),
    }
    return [option for option, unmet in asked.items() if unmet]


def print_where(paths: Paths) -> None:
    """Addresses, how to sign in, logs."""
    status = daemon_state.read_status(paths)
    if not status:
        return
    production = status.get("environment") == PRODUCTION
    docs = "" if production else f"{status['api']}/docs"  # production mounts none
    rows = [("Open", status.get("frontend") or docs or f"{status['api']}/health")]
    rows += [
        ("REST", f"{status['api']}/api/v1" + (f"   docs {docs}" if docs else "")),
        ("WebSocket", status["websocket"]),
    ]
    secret = paths.secrets / "demo_password"
    if not production and status.get("demo") and secret.exists():
        rows.append(("Sign in", f"{DEMO_ACCOUNTS}   password {secret.read_text().strip()}"))
    rows.append(("Logs", f"{paths.logs}   (./mobula logs)"))
    console.print()
    for name, value in rows:
        console.print(f"  {name:<10}", end="")
        console.print(value, markup=False)
    console.print()


def down() -> None:
    """Stop everything of this checkout, and check that nothing is left."""
    raise typer.Exit(stop_everything(Paths(home())))


def shards(
    count: Annotated[int | None, typer.Argument(help="How many; without it the command only shows them.")] = None,
) -> None:
    """Show how channels are spread over broker shards, or add and remove shards while everything works."""
    require_stack()
    command = [sys.executable, "-m", names.SHARDS_MODULE, *([] if count is None else [str(count)])]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=stack_environment(), check=False).returncode)


def redeploy(application: Annotated[str, typer.Argument(help="api or realtime")]) -> None:
    """Deploy one Serve application again; the other does not notice."""
    if application not in ("api", "realtime"):
        fail("redeploy what? api or realtime")
        raise typer.Exit(2)
    require_stack()
    command = [sys.executable, "-m", "cluster.deploy", application]
    done = subprocess.run(command, cwd=ROOT, env=stack_environment(), stdout=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        console.print(f"[green]✓[/green] {application} runs anew")
    raise typer.Exit(done.returncode)
