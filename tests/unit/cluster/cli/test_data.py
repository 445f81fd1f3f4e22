import pytest

from cluster.cli.data import _libpq


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
