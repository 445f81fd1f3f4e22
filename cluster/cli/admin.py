"""admin: the first administrator of an installation, and everybody's roles when no administrator can sign in."""

import subprocess
import sys
from typing import Annotated

import typer

from cluster import names
from cluster.cli.data import database_environment
from cluster.settings import ROOT


def admin(
    email: Annotated[str, typer.Argument(help="Address of an account; one is made when there is none.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="Another role than admin; may be repeated.")] = None,
    username: Annotated[
        str, typer.Option("--username", help="Name of an account that is made; else from the address.")
    ] = "",
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also an account whose address nobody has verified.")
    ] = False,
) -> None:
    """Make somebody administrator (or give another role). Prints a link to choose a password for a new account."""
    command = [sys.executable, "-m", names.ADMIN_MODULE, email]
    for name in role or []:
        command += ["--role", name]
    if username:
        command += ["--username", username]
    if unverified:
        command.append("--unverified")
    with database_environment("./mobula admin") as env:
        status = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    raise typer.Exit(status)
