"""`./mobula node`: this machine as one more Ray node of a head that runs elsewhere."""

import os
from typing import Annotated

import typer

from cluster.cli.printing import console
from cluster.cli.setup import home
from cluster.stack import joining

Head = Annotated[
    str, typer.Argument(help="host:port of the head's GCS; default: MOBULA_RAY_ADDRESS.", show_default=False)
]
Port = Annotated[int | None, typer.Option("--port", help="HAProxy's port here; default: HTTP_PORT, the head's.")]


def node(head: Head = "", port: Port = None) -> None:
    """Join this machine to a head as another Ray node, and stay until stopped."""
    plan = joining.make(home(), head=head, http_port=port, environ=os.environ)
    raise typer.Exit(joining.run(plan, lambda text: console.print(text, markup=False)))
