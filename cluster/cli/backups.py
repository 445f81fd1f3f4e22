"""backup, restore: the whole database, with the programs and the credentials that this checkout has anyway."""

import contextlib
import gzip
import os
import secrets as random
import shutil
import subprocess
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cluster import ports, secrets
from cluster.cli.data import database_environment, is_own, libpq_environment, postgres_program
from cluster.cli.printing import console, fail
from cluster.cli.setup import home
from cluster.paths import Paths
from cluster.services.binaries import find_valkey
from cluster.settings import ROOT, Settings
from cluster.stack import daemon_state
from cluster.stack.plan import local_valkey

PIECE = 2**20

EMPTY = """
DO $$ DECLARE name text; BEGIN
    SET LOCAL lock_timeout = '10s';
    SET LOCAL client_min_messages = warning;
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
END $$
"""

BEGIN_ANEW = Path(__file__).with_name("begin_anew.sql")
"""What follows every restore, by whatever means: new epochs, and nothing that goes by another cluster's numbers."""

WHOLE = b"\nSELECT pg_catalog.set_config('mobula.whole', 'yes', true);\n"
"""Follows a backup's last line. psql takes the end of its input for the end of the backup, also when it is ours."""

REQUIRE_WHOLE = """
DO $$ BEGIN
    IF current_setting('mobula.whole', true) IS DISTINCT FROM 'yes' THEN
        RAISE 'the backup did not arrive whole, and is rolled back';
    END IF;
END $$
"""

PREAMBLE_LINES = 40
NEWER_THAN_SERVER = b"SET transaction_timeout = 0;"
"""Written by the programs of PostgreSQL 17 and later, refused by the servers of 15 and 16."""


def backup(
    file: Annotated[Path, typer.Argument(help="Where to; an older backup there is replaced once this one is whole.")],
) -> None:
    """Write the database to a file (SQL, gzipped), also while everything works."""
    file = file.absolute()
    program = postgres_program("pg_dump")
    with database_environment("./mobula backup") as env:
        unfinished = file.with_name(f".{file.name}-{random.token_hex(4)}")
        try:
            status = _dump(
                [program, "--no-owner", "--no-privileges"], libpq_environment(env["DATABASE_URL"], env), unfinished
            )
            if status == 0:
                unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
    if status == 0:
        kept = f"{Paths(home()).secrets} belongs to it, and is not in it"
        console.print(f"{file}: {file.stat().st_size / 2**20:.1f} MB. {kept}.", markup=False)
    raise typer.Exit(status)


def restore(
    file: Annotated[Path, typer.Argument(help="What `./mobula backup` wrote.", exists=True, dir_okay=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Also over data that is there, which is lost.")] = False,
) -> None:
    """Put a backup in the database's place, all of it or nothing. The next `up` migrates what is older."""
    paths = Paths(home())
    if daemon_state.is_held(paths):
        fail("Mobula runs here, and would go on with what it remembers: ./mobula down first")
        raise typer.Exit(1)
    program = postgres_program("psql")
    with database_environment("./mobula restore") as env:
        connection = libpq_environment(env["DATABASE_URL"], env)
        if not replace and _has_data(program, connection):
            fail("this database has data, which would be lost: ./mobula backup it, and then say --replace")
            raise typer.Exit(1)
        problem = _load(file, program, connection)
    if problem:
        fail(f"{file} is not restored, and nothing was changed: {problem}")
        raise typer.Exit(1)
    console.print(f"{file} is in the database.{_forget_cache(paths)} ./mobula up -d starts.", markup=False)


def _dump(command: list[str], connection: Mapping[str, str], file: Path) -> int:
    # Closed to others from its first byte: it holds everything about everybody.
    with (
        os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, filename="") as out,
        subprocess.Popen(command, cwd=ROOT, env=dict(connection), stdout=subprocess.PIPE) as source,
    ):
        if source.stdout is None:
            raise TypeError("it is a pipe")
        shutil.copyfileobj(source.stdout, out, PIECE)
        status = source.wait()
        out.close()
        raw.flush()
        os.fsync(raw.fileno())
    return status


def _has_data(psql: str, connection: Mapping[str, str]) -> bool:
    """Whether anything of ours was ever in this database. Ends the command when the server does not answer."""
    question = "SELECT to_regclass('public.alembic_version') IS NOT NULL"
    done = subprocess.run([psql, "-XAtqc", question], env=dict(connection), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
    return done.stdout.strip() == b"t"


def _load(file: Path, psql: str, connection: Mapping[str, str]) -> str:
    """Everything in one transaction. Returns what was in the way, for people; "" when it is done."""
    command = [psql, "-Xq", "--single-transaction", "-v", "ON_ERROR_STOP=1", "-o", os.devnull]
    command += ["-c", EMPTY, "-f", "-", "-c", REQUIRE_WHOLE, "-f", os.fspath(BEGIN_ANEW)]
    with subprocess.Popen(command, cwd=ROOT, env=dict(connection), stdin=subprocess.PIPE) as sink:
        if sink.stdin is None:
            raise TypeError("it is a pipe")
        try:
            with gzip.open(file) as lines:
                for number, line in enumerate(lines):
                    if number > PREAMBLE_LINES or line.rstrip() != NEWER_THAN_SERVER:
                        sink.stdin.write(line)
            sink.stdin.write(WHOLE)
            sink.stdin.close()
            sink.wait()
        except BrokenPipeError:  # psql has said why, and rolled back
            pass
        except (OSError, EOFError, zlib.error):
            sink.kill()
            sink.wait()  # before it sees an end, which it would take for that of the backup
            return "it is no backup, or damaged (`gzip -t` says where)"
        except BaseException:  # Ctrl-C, no memory: whoever gave up does not find it restored all the same
            sink.kill()
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):  # it ended before it read what was still on the way
                sink.stdin.close()
    return "" if sink.returncode == 0 else "see above"


def _forget_cache(paths: Paths) -> str:
    """What the cache holds may be from after the backup. Returns what people have to do about it themselves."""
    block = ports.recorded(paths.ports_file)
    url = Settings().redis_url.get_secret_value()  # also from .env
    if url and not is_own(url, "valkey", paths):
        return " The server of REDIS_URL still has cached what was after the backup: FLUSHDB it."
    if block is not None and find_valkey() is not None:
        local_valkey(paths, block, secrets.ensure(paths.secrets)).wipe()
    return ""
