"""`./mobula fuzz`: atheris looks for bytes that break what reads the bytes of strangers."""

import importlib.util
import os
import subprocess
import sys
from typing import Annotated

import typer

from cluster.cli.printing import console, fail
from cluster.cli.setup import home
from cluster.settings import ROOT

TARGETS = ("json", "protobuf", "varint", "fossil", "emulation", "connection")
"""tests/fuzz/targets.py says what each promises."""

MAX_INPUT_BYTES = 4096


def fuzz(
    targets: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(TARGETS)}; default: all")] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=1, help="For each target.")] = 60,
) -> None:
    """Fuzz the codecs and the connection for a while; what was learned is kept in MOBULA_HOME/fuzz."""
    unknown = set(targets or ()) - set(TARGETS)
    if unknown:
        fail(f"no such target: {', '.join(sorted(unknown))} (there are {', '.join(TARGETS)})")
        raise typer.Exit(2)
    if importlib.util.find_spec("atheris") is None:
        fail("atheris is not installed: put a line `atheris>=3` into requirements-app.txt")
        raise typer.Exit(1)
    broken = []
    for target in targets or TARGETS:
        corpus = home() / "fuzz" / target
        corpus.mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={seconds}", f"-max_len={MAX_INPUT_BYTES}", f"-artifact_prefix={corpus}-"]
        command = [sys.executable, "-m", "tests.fuzz", target, *options, str(corpus)]
        log_file = corpus.with_suffix(".log")
        with log_file.open("wb") as log:
            done = subprocess.run(command, cwd=ROOT, env=os.environ, stdout=log, stderr=subprocess.STDOUT, check=False)
        if done.returncode == 0:
            last = log_file.read_text(errors="replace").rstrip().rpartition("\n")[2]
            console.print(f"[green]✓[/green] {target:<12} [dim]{last}[/dim]")
        else:
            broken.append(target)
            fail(f"{target} is broken by an input beside {corpus}; {log_file}")
    raise typer.Exit(1 if broken else 0)
