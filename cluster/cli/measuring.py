"""load, bench."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cluster.cli.printing import console, fail, show
from cluster.cli.setup import home, stack_environment
from cluster.cli.stopping import stop_everything
from cluster.paths import Paths
from cluster.settings import ROOT
from cluster.stack import daemon_state, runner, stop_signals
from cluster.stack.daemon_state import AlreadyRunning
from cluster.stack.plan import Options

Extra = Annotated[list[str] | None, typer.Argument(help="Passed on.")]

LOADS = ("smoke", "web")
"""What `load` runs: modules of loadtests/."""

WITH_FRONTEND = ("idle", "all")
"""What the front end occupies is part of the figure."""

UNLIMITED = {"RATE_LIMIT_PER_MINUTE": "0"}
"""A benchmark comes from one address, which would soon have asked enough."""


def bench(
    name: Annotated[str, typer.Argument(help="idle, fanout, rest, latency, storm …")], extra: Extra = None
) -> None:
    """Run a benchmark of loadtests/ beside its peer; on a stack of its own unless one runs."""
    _refuse_mistakes("bench", name, *(extra or []))
    with _stack(needed=not _only_asks(extra), frontend=name in WITH_FRONTEND):
        raise typer.Exit(_loadtest("bench", name, *(extra or [])))


def load(name: Annotated[str, typer.Argument(help=" or ".join(LOADS))], extra: Extra = None) -> None:
    """Run Locust with the scenarios of loadtests/, headless or with its page; on a stack of its own unless one runs."""
    if name not in LOADS:
        fail(f"no such load test: {name} (there are {', '.join(LOADS)})")
        raise typer.Exit(2)
    _refuse_mistakes(name, *(extra or []))
    with _stack(needed=not _only_asks(extra)):
        raise typer.Exit(_loadtest(name, *(extra or [])))


def _loadtest(module: str, *arguments: str) -> int:
    command = [sys.executable, "-m", f"loadtests.{module}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=stack_environment(), check=False).returncode


def _refuse_mistakes(module: str, *arguments: str) -> None:
    """A word that is not understood costs no start of a stack: who only asks for help has everything before it read."""
    command = [sys.executable, "-m", f"loadtests.{module}", *arguments, "--help"]
    asked = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    if asked.returncode != 0:
        raise typer.Exit(asked.returncode)


def _only_asks(extra: list[str] | None) -> bool:
    """Whether the arguments name a stack elsewhere, or only ask for help."""
    return bool(os.environ.get("MOBULA_URL")) or any(
        word in ("-h", "--help") or word.split("=")[0] == "--url" for word in extra or ()
    )


@contextmanager
def _stack(*, needed: bool, frontend: bool = False) -> Iterator[None]:
    """The running stack of this checkout; or one without request limits that lives as long as the measurement."""
    paths = Paths(home())
    if not needed or daemon_state.holder(paths) is not None:
        yield
        return
    which = "with" if frontend else "without"
    console.print(f"Mobula does not run here: starting it for this measurement, {which} the front end.")
    options = Options(home=paths.home, frontend=frontend)
    ours = True
    with stop_signals.as_interrupt():
        try:
            if runner.detach(options, show, {**os.environ, **UNLIMITED}, outlives_us=False) != 0:
                ours = False  # it has ended, or another command was quicker
                fail("nothing was measured")
                raise typer.Exit(1)
            yield
        except AlreadyRunning:
            ours = False
            raise
        finally:
            if ours:
                stop_everything(paths)
