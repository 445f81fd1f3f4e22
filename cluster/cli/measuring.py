"""load, bench."""

import subprocess
import sys
from typing import Annotated

import typer

from cluster.cli.setup import stack_environment
from cluster.settings import ROOT

Extra = Annotated[list[str] | None, typer.Argument(help="Passed on.")]


def bench(name: Annotated[str, typer.Argument(help="fanout, rest, latency, memory …")], extra: Extra = None) -> None:
    """Run a benchmark of loadtests/ beside its peer."""
    command = [sys.executable, "-m", "loadtests.bench", name, *(extra or [])]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=stack_environment(), check=False).returncode)


def load(name: Annotated[str, typer.Argument(help="smoke, or what loadtests/ offers")], extra: Extra = None) -> None:
    """Run a load test of loadtests/ without its web page."""
    command = [sys.executable, "-m", f"loadtests.{name}", *(extra or [])]
    raise typer.Exit(subprocess.run(command, cwd=ROOT, env=stack_environment(), check=False).returncode)
