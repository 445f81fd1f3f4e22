"""How the command speaks: one line per step, plain when nobody watches, and errors with their remedy."""

import sys

from rich.console import Console

from cluster.stack.progress import Event

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

MARKS = {"begin": "[dim]…[/dim]", "note": "[dim]·[/dim]", "done": "[green]✓[/green]", "failed": "[red]✗[/red]"}


def show(event: Event) -> None:
    """Print one event of the stack."""
    if event.state == "begin" and not event.text:
        if sys.stdout.isatty():
            console.print(f"{MARKS['begin']} [dim]{event.step}[/dim]")
        return
    if event.state in ("ready", "stopped"):
        return
    if event.state == "failed":
        what = "" if event.step == "stack" else f"{event.step}: "
        errors.print(f"{MARKS['failed']} {what}", end="")
        errors.print(event.text, markup=False)
        return
    took = f" [dim]{event.seconds:.1f} s[/dim]" if event.state == "done" and event.seconds >= 0.05 else ""
    console.print(f"{MARKS[event.state]} {event.step}", end="  " if event.text else "")
    console.print(event.text, markup=False, end="")
    console.print(took)


def fail(message: str) -> None:
    """An error, for people."""
    errors.print("[red]✗[/red] ", end="")
    errors.print(message, markup=False)
