"""Puts the command together: `./mobula --help` lists what the modules beside this one register."""

import sys

import typer
from rich.console import Console

from cluster.cli import checking, testing
from cluster.services.errors import ServiceError

app = typer.Typer(
    name="mobula",
    help="Mobula: a realtime application backend on Ray, with a Next.js front end.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for module in (checking, testing):
    module.register(app)


def main() -> None:
    """Run the command. What a person can mend is said in a sentence, not in a traceback."""
    try:
        app(prog_name="./mobula")
    except ServiceError as problem:
        Console(stderr=True, highlight=False).print(f"[red]mobula:[/] {problem}")
        sys.exit(1)


if __name__ == "__main__":
    main()
