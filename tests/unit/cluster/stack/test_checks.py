import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from cluster.stack import checks
from cluster.stack.plan import Options, Plan, make


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")
    return make(Options(home=tmp_path / "home"), {"PATH": "/usr/bin:/bin"})


def test_too_little_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=0.5 * checks.GB))
    found = checks.memory()
    assert found.level == "error"
    assert "0.5 GB" in found.what
    assert found.remedy


def test_what_becomes_of_mail_is_said(tmp_path: Path, plan: Plan) -> None:
    assert [one.level for one in checks.outward(plan)] == ["ok"]
    make(Options(home=tmp_path / "home", production=True), {"PATH": "/usr/bin:/bin"})
    for environ, level, said in (
        ({}, "warning", "nobody gets mail"),
        ({"MAIL_OFF": "true", "SMTP_HOST": "mail.shop.example"}, "warning", "nobody gets mail"),
        ({"PUBLIC_URL": "https://shop.example"}, "error", "SMTP_HOST is missing"),
    ):
        again = make(Options(home=tmp_path / "home"), {"PATH": "/usr/bin:/bin", **environ})
        found = checks.outward(again)
        assert {one.level for one in found} == {level}
        assert said in found[0].what
        assert set(found) <= set(checks.all_checks(again))


def test_a_low_open_file_limit_is_named_with_its_remedy(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "raise_open_file_limit", lambda: 512)
    found = checks.open_files(plan)
    assert found.level == "error"
    assert "ulimit -n" in found.remedy
    monkeypatch.setattr(checks, "raise_open_file_limit", lambda: 20_000)
    assert "7897 connections" in checks.open_files(plan).what


def test_a_full_disk_and_little_shared_memory_are_named(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10 * 1024**2))
    assert checks.disk(plan).level == "error"
    if Path("/dev/shm").is_dir():
        assert "--shm-size" in checks.shared_memory().remedy


def test_a_busy_port_is_named(plan: Plan) -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = make(Options(home=plan.paths.home, http_port=holder.getsockname()[1]), {"PATH": "/usr/bin"})
        [http, _] = checks.http_ports(taken)
        assert http.level == "error"
        assert "--port" in http.what


@pytest.mark.parametrize(
    ("version", "level", "words"),
    [(None, "error", "missing"), ((18, 20), "error", "too old"), ((20, 19), "ok", "20.19"), ((24, 1), "ok", "24.1")],
)
def test_node(plan: Plan, monkeypatch: pytest.MonkeyPatch, version: Any, level: str, words: str) -> None:
    monkeypatch.setattr(checks, "node_version", lambda: version)
    found = checks.node(plan)
    assert found.level == level
    assert words in found.what


def test_without_binaries_postgres_is_an_error_and_valkey_a_warning(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_postgres", lambda: None)
    monkeypatch.setattr(checks, "find_valkey", lambda: None)
    assert [found.level for found in checks.providers(plan)] == ["error", "warning"]


def test_everything_is_looked_at(plan: Plan) -> None:
    assert len(checks.all_checks(plan)) == len(checks.all_checks(plan, ports_too=False)) + 2


@pytest.mark.parametrize(
    ("environ", "level", "said"),
    [
        ({}, "ok", "one machine"),
        ({"NODE_ADDRESS": "10.0.0.1"}, "error", "HTTP_HOST is loopback"),
        ({"NODE_ADDRESS": "10.0.0.1", "HTTP_HOST": "0.0.0.0"}, "error", "embedded Postgres"),
        (
            {"NODE_ADDRESS": "10.0.0.1", "HTTP_HOST": "0.0.0.0", "DATABASE_URL": "postgresql://u@db.internal/m"},
            "ok",
            "may join at 10.0.0.1",
        ),
    ],
)
def test_what_other_nodes_could_not_reach_is_said_before_anything_starts(
    environ: dict[str, str], level: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")
    found = checks.addresses(make(Options(home=tmp_path / "home"), {"PATH": "/usr/bin:/bin", **environ}))
    assert found.level == level
    assert said in found.what
    assert bool(found.remedy) == (level == "error")
