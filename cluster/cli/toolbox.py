"""Running other programs for `check`, `fix` and `test`: two at a time, output kept together, one summary."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from cluster.settings import ROOT

FRONTEND = ROOT / "frontend"
BIN = Path(sys.executable).parent

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Step:
    """One program to run. `cwd` defaults to the checkout."""

    name: str
    argv: Sequence[str]
    cwd: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a step ended."""

    step: Step
    status: int
    seconds: float
    output: str


def tool(name: str) -> str:
    """A program of our own environment."""
    return str(BIN / name)


def run(step: Step, *, show: bool = False) -> Outcome:
    """Run one step. `show`: its output goes to the terminal at once instead of into the outcome."""
    begin = time.monotonic()
    try:
        done = subprocess.run(
            list(step.argv),
            cwd=step.cwd,
            env={**os.environ, **step.env},
            stdin=subprocess.DEVNULL,
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as missing:
        return Outcome(step, 127, time.monotonic() - begin, f"{missing.filename} is not there")
    return Outcome(step, done.returncode, time.monotonic() - begin, done.stdout or "")


def run_all(steps: Iterable[Step], *, at_once: int = 2) -> list[Outcome]:
    """Run every step even if one fails; say how each ended as soon as it has, with its output if it failed."""
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(at_once) as pool:
        for ended in as_completed([pool.submit(run, step) for step in steps]):
            outcome = ended.result()
            outcomes.append(outcome)
            report(outcome)
    return outcomes


def report(outcome: Outcome) -> None:
    """One line; the output too when the step failed."""
    mark = "[green]ok[/]  " if outcome.status == 0 else "[red]FAIL[/]"
    console.print(f"{mark} {outcome.step.name} [dim]({outcome.seconds:.1f} s)[/]")
    if outcome.status != 0 and outcome.output:
        console.out("\n".join("     " + line for line in outcome.output.rstrip().splitlines()))


def summarise(what: str, outcomes: Sequence[Outcome]) -> int:
    """The closing line; returns the exit status."""
    failed = [outcome.step.name for outcome in outcomes if outcome.status != 0]
    if failed:
        console.print(f"\n[red]{what}: {len(failed)} of {len(outcomes)} failed[/]: {', '.join(failed)}")
        return 1
    console.print(f"\n[green]{what}: all {len(outcomes)} passed[/]")
    return 0
