from pathlib import Path

import pytest

from cluster.cli.data import _libpq, _next_revision, _valkey_cli
from cluster.paths import Paths
from cluster.settings import ROOT
from cluster.stack import daemon_state
from cluster.stack.plan import Options, make
from tests.fixtures.command import MobulaCommand


def test_psql_gets_its_credentials_as_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    env = _libpq("postgresql://ada:p%40ss%2Fword@db.example:6543/shop", {"PATH": "/bin"})
    assert env["PGHOST"] == "db.example"
    assert env["PGPORT"] == "6543"
    assert env["PGUSER"] == "ada"
    assert env["PGPASSWORD"] == "p@ss/word"
    assert env["PGDATABASE"] == "shop"
    assert env["PATH"] == "/bin"


def test_what_an_address_leaves_out_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_HOME", "/tmp/x")
    env = _libpq("postgresql:///shop", {})
    assert (env["PGHOST"], env["PGPORT"], env["PGUSER"]) == ("127.0.0.1", "5432", "")


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
