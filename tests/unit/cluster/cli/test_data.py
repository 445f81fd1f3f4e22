import os
import shutil
import signal
import subprocess
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from cluster.cli.data import (
    _converse_with,
    _next_revision,
    _valkey_cli,
    database_environment,
    is_own,
    libpq_environment,
)
from cluster.paths import Paths
from cluster.ports import BLOCK_SIZE, keep, recorded
from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import MARKER
from cluster.services.postgres import EmbeddedPostgres
from cluster.settings import ROOT
from cluster.stack import daemon_state, stop_signals
from cluster.stack.plan import Options, make
from tests.fixtures.command import MobulaCommand


def test_psql_gets_its_credentials_as_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    env = libpq_environment("postgresql://ada:p%40ss%2Fword@db.example:6543/shop", {"PATH": "/bin"})
    assert env["PGHOST"] == "db.example"
    assert env["PGPORT"] == "6543"
    assert env["PGUSER"] == "ada"
    assert env["PGPASSWORD"] == "p@ss/word"
    assert env["PGDATABASE"] == "shop"
    assert env["PATH"] == "/bin"


def test_what_an_address_leaves_out_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    env = libpq_environment("postgresql:///shop", {})
    assert (env["PGHOST"], env["PGPORT"], env["PGUSER"]) == ("127.0.0.1", "5432", "")


def test_what_else_an_address_says_holds_for_psql_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    env = libpq_environment(
        "postgresql://u:p@db.example/app?sslmode=verify-full&sslrootcert=/ca.pem&application_name=a%20b", {}
    )
    assert (env["PGSSLMODE"], env["PGSSLROOTCERT"], env["PGAPPNAME"]) == ("verify-full", "/ca.pem", "a b")
    assert "PGOPTIONS" not in env
    socket = libpq_environment(
        "postgresql+asyncpg://u:p@/my%2Ddb?host=/var/run/postgresql&port=5433&options=-c%20geqo=off", {}
    )
    assert (socket["PGHOST"], socket["PGPORT"], socket["PGDATABASE"]) == ("/var/run/postgresql", "5433", "my-db")
    assert socket["PGOPTIONS"] == "-c geqo=off"
    ours = libpq_environment("postgresql://db/app?search_path=a,%20b&host=elsewhere", {})
    assert (ours["PGHOST"], ours["PGOPTIONS"]) == ("db", r"-c search_path=a,\ b")


def test_a_prompt_is_not_among_the_processes_that_down_and_up_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    assert MARKER not in libpq_environment("postgresql://db/app", {MARKER: "/tmp/x"})


def test_ctrl_c_is_the_prompt_s_own_affair(mobula: MobulaCommand, tmp_path: Path) -> None:
    program = tmp_path / "psql"
    program.write_text("#!/bin/sh\ntrap 'exit 7' INT\nkill -INT $PPID\nkill -INT $$\n")
    program.chmod(0o755)
    before = signal.getsignal(signal.SIGINT)
    assert _converse_with([str(program)], {"PATH": "/usr/bin:/bin"}) == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_valkey_cli_gets_its_password_as_a_variable() -> None:
    options, env = _valkey_cli("rediss://ops:p%40ss@cache.example:6380/3", {"PATH": "/bin"})
    assert options == ["-h", "cache.example", "-p", "6380", "-n", "3", "--tls", "--user", "ops"]
    assert env == {"PATH": "/bin", "REDISCLI_AUTH": "p@ss", "VALKEYCLI_AUTH": "p@ss"}
    assert _valkey_cli("redis://cache", {}) == (["-h", "cache", "-p", "6379", "-n", "0"], {})


def test_the_program_that_talks_to_valkey_is_started_that_way(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "valkey-cli"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments; echo "$REDISCLI_AUTH" > {tmp_path}/password\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@127.0.0.1:7000/0")
    assert mobula.run("valkey", "PING").exit_code == 0
    assert (tmp_path / "arguments").read_text() == "-h 127.0.0.1 -p 7000 -n 0 PING\n"
    assert (tmp_path / "password").read_text() == "hidden\n"


def test_what_valkey_refuses_is_a_sentence(mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.cli.data.shutil.which", lambda name: None)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    shown = mobula.run("valkey", "PING")
    assert shown.exit_code == 1
    assert "127.0.0.1:1" in shown.output
    assert not isinstance(shown.exception, ConnectionError)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("add invoices", "add_invoices"),
        ("  Add: invoices & co!  ", "add_invoices_co"),
        ("a message that says far too much about it", "a_message_that_says_far_too"),
        ("…", "revision"),
    ],
)
def test_a_new_revision_is_called_after_its_number_and_what_it_does(message: str, name: str) -> None:
    newest = max(file.name[:4] for file in (ROOT / "db/migrations/versions").glob("[0-9]*_*.py"))
    found = _next_revision(message)
    assert found == f"{int(newest) + 1:04d}_{name}"
    assert len(found) <= 32, "Alembic keeps no more of it"


def test_production_is_not_seeded_whatever_the_caller_s_shell_says(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Options(home=mobula.home, production=True), {"PATH": "/bin"})
    paths = Paths(mobula.home)
    daemon_state.write_status(paths, {"environment": "production"})
    monkeypatch.setattr("cluster.cli.data.subprocess.run", lambda *_, **__: pytest.fail("it must do nothing"))
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    for shell in ("production", "development"):
        monkeypatch.setenv("ENVIRONMENT", shell)
        shown = mobula.run("seed")
        assert shown.exit_code == 1
        assert "this is production" in shown.output
    lock.release()


class Server:
    """Stands in for the embedded Postgres; `did` is what happened to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        monkeypatch.setattr(EmbeddedPostgres, "start", lambda postgres: self.did.append("start"))
        monkeypatch.setattr(EmbeddedPostgres, "stop", lambda postgres: self.did.append("stop"))


def test_the_last_of_several_commands_stops_the_server_that_the_first_started(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)
    # Both are in this process here: what the second one finds in place of the signals' defaults is the first one's.
    monkeypatch.setattr(stop_signals, "as_interrupt", nullcontext)
    with ExitStack() as second:
        with database_environment("./mobula psql"):
            second.enter_context(database_environment("./mobula seed"))
        assert server.did == ["start", "start"], "the second one adopts it"
    assert server.did == ["start", "start", "stop"]


def test_a_command_that_is_ended_stops_the_server_that_it_started(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)

    def seed() -> None:
        with database_environment("./mobula seed"):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        seed()
    assert server.did == ["start", "stop"]
    assert daemon_state.working(Paths(mobula.home)) == ""


def test_no_supervisor_starts_while_a_command_works(mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch)
    paths = Paths(mobula.home)
    ended: list[Paths] = []
    monkeypatch.setattr(processes, "end_all", lambda paths: ended.append(paths))
    with database_environment("./mobula seed"):
        for arguments in (["up"], ["up", "-d"]):
            shown = mobula.run(*arguments)
            assert shown.exit_code == 1
            assert f"./mobula seed (pid {os.getpid()}) works on this checkout" in f"{shown.output}{shown.exception}"
        assert ended == []
        assert daemon_state.holder(paths) is None
    lock = daemon_state.DaemonLock(paths)
    lock.take()
    lock.release()


def test_a_command_waits_while_another_starts_or_stops_the_server(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)
    other = daemon_state.CommandLock(Paths(mobula.home))
    assert other.take("./mobula migrate")
    waited: list[float] = []

    def wait(seconds: float) -> None:
        assert server.did == []
        waited.append(seconds)
        other.release()

    monkeypatch.setattr("cluster.cli.data.time.sleep", wait)
    with database_environment("./mobula seed"):
        assert waited
        assert server.did == ["start"]


def test_a_command_leaves_what_up_has_written_and_says_where_its_server_is(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch)
    paths = Paths(mobula.home)
    with database_environment("./mobula migrate") as env:
        block = recorded(paths.ports_file)
        assert block is not None, "or a second command takes the server from the first"
        assert f":{block.service('postgres')}/" in env["DATABASE_URL"]
    assert not paths.state_env.exists()
    started = make(Options(home=mobula.home), {"PATH": "/bin"})
    assert started.env["DATABASE_URL"] == env["DATABASE_URL"], "`up` finds the data"
    before = paths.state_env.read_bytes()
    monkeypatch.setenv("PUBLIC_URL", "https://elsewhere.example")
    with database_environment("./mobula seed") as env:
        assert env["DATABASE_URL"] == started.env["DATABASE_URL"]
    assert paths.state_env.read_bytes() == before
    assert server.did == ["start", "stop"] * 2


def test_commands_on_a_stopped_checkout_go_to_the_database_that_up_had(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A unit's DATABASE_URL is not in the shell of whoever types `./mobula backup`."""
    server = Server(monkeypatch)
    theirs = {"DATABASE_URL": "postgresql://u:p@db.example/shop", "REDIS_URL": "redis://cache.example/1"}
    make(Options(home=mobula.home), {"PATH": "/bin", **theirs})
    ports = Paths(mobula.home).ports_file.read_bytes()
    with database_environment("./mobula backup") as env:
        assert {name: env[name] for name in theirs} == theirs
    assert server.did == []
    assert Paths(mobula.home).ports_file.read_bytes() == ports
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@elsewhere/shop")
    with database_environment("./mobula backup") as env:
        assert env["DATABASE_URL"] == "postgresql://u:p@elsewhere/shop"
    monkeypatch.delenv("DATABASE_URL")
    embedded = make(Options(home=mobula.home), {"PATH": "/bin"})
    with database_environment("./mobula backup") as env:
        assert env["DATABASE_URL"] == embedded.env["DATABASE_URL"]
    assert server.did == ["start", "stop"]


def test_an_address_of_our_own_is_known_where_its_port_or_its_password_was_another(mobula: MobulaCommand) -> None:
    before = make(Options(home=mobula.home), {"PATH": "/bin"})
    fresh = make(Options(home=mobula.home, fresh=True), {"PATH": "/bin"})  # and failed: the old passwords stay
    keep(before.paths.ports_file, replace(before.ports, base=before.ports.base + BLOCK_SIZE))
    assert is_own(before.env["DATABASE_URL"], "postgres", before.paths)
    assert is_own(before.env["REDIS_URL"], "valkey", before.paths)
    keep(before.paths.ports_file, before.ports)
    assert is_own(fresh.env["DATABASE_URL"], "postgres", before.paths)
    assert is_own(fresh.env["REDIS_URL"], "valkey", before.paths)
    port = before.ports.service("postgres")
    for other in (f"postgresql://u:p@db.example:{port}/x", f"postgresql://u:p@127.0.0.1:{port + 1}/x"):
        assert not is_own(other, "postgres", before.paths)


def test_a_stack_that_lost_its_supervisor_keeps_its_database(
    mobula: MobulaCommand, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(monkeypatch)
    paths = Paths(mobula.home)
    gcs = subprocess.Popen(
        ["/ray/gcs/gcs_server", "-"],
        executable=shutil.which("cat"),
        stdin=subprocess.PIPE,
        env={MARKER: str(paths.home)},
    )
    try:
        with pytest.raises(typer.Exit), database_environment("./mobula psql"):
            pytest.fail("it must not come to that")
        assert "./mobula up -d takes it over, ./mobula down ends it" in " ".join(capsys.readouterr().err.split())
        assert server.did == []
        assert not paths.ports_file.exists()
    finally:
        gcs.communicate()
    with database_environment("./mobula psql"):
        assert server.did == ["start"]
