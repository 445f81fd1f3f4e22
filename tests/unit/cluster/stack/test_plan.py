from pathlib import Path

import pytest

from cluster.settings import ProductionRefused, Settings
from cluster.stack.plan import Options, make

CLEAN = {"PATH": "/usr/bin:/bin", "RAY_ADDRESS": "10.0.0.1:6379", "HOME": "/nowhere"}


@pytest.fixture(autouse=True)
def no_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")


def test_a_plan_from_nothing_is_complete(tmp_path: Path) -> None:
    plan = make(Options(home=tmp_path / "home"), CLEAN)
    assert plan.postgres is not None
    assert plan.valkey is not None
    assert plan.settings.asyncpg_dsn == plan.postgres.dsn
    assert plan.api_url == f"http://127.0.0.1:{plan.ports.http}"
    assert plan.env["DATABASE_URL"] == plan.postgres.dsn
    assert "RAY_ADDRESS" not in plan.env
    assert plan.env["RAY_AUTH_MODE"] == "token"


def test_other_processes_read_the_same_from_the_state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make(Options(home=tmp_path / "home"), CLEAN)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path / "home"))
    read = Settings(_env_file=tmp_path / "no.env")  # type: ignore[call-arg]
    assert read.database_url == plan.settings.database_url
    assert read.secret_key == plan.settings.secret_key
    assert read.http_port == plan.ports.http
    assert plan.paths.state_env.stat().st_mode & 0o077 == 0


def test_servers_that_are_named_replace_ours(tmp_path: Path) -> None:
    given = {**CLEAN, "DATABASE_URL": "postgresql://u:p@db/x", "REDIS_URL": "redis://r/1"}
    plan = make(Options(home=tmp_path / "home"), given)
    assert (plan.postgres, plan.valkey) == (None, None)
    assert plan.env["REDIS_URL"] == "redis://r/1"


def test_ports_follow_the_option(tmp_path: Path) -> None:
    plan = make(Options(home=tmp_path / "home", http_port=8010), CLEAN)
    assert (plan.ports.http, plan.ports.frontend) == (8010, 3010)
    assert plan.websocket_url == "ws://127.0.0.1:8010/connection/websocket"


def test_production_refuses_what_is_weak(tmp_path: Path) -> None:
    with pytest.raises(ProductionRefused, match="SECRET_KEY is weak"):
        make(Options(home=tmp_path / "home", production=True), {**CLEAN, "SECRET_KEY": "changeme"})


def test_the_callers_environment_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_TEST_CANARY", "1")
    import os

    before = dict(os.environ)
    make(Options(home=tmp_path / "home"), CLEAN)
    assert dict(os.environ) == before
