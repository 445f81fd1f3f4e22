import socket
from pathlib import Path

import pytest

from cluster.services.errors import ServiceError
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.settings import ProductionRefused, Settings, written_by_up
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


def test_a_copy_of_the_state_file_finds_its_own_secrets_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make(Options(home=tmp_path / "home"), CLEAN)
    assert plan.env["SIGNING_KEY_FILE"] == str(plan.paths.secrets / "signing.pem")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    node = tmp_path / "elsewhere"
    node.mkdir()
    (node / "state.env").write_text(plan.paths.state_env.read_text())
    monkeypatch.setenv("MOBULA_HOME", str(node))
    read = Settings(_env_file=tmp_path / "no.env")  # type: ignore[call-arg]
    assert read.signing_key_path == node / "secrets" / "signing.pem"
    assert read.ray_auth_token_path is None


def test_servers_that_are_named_replace_ours(tmp_path: Path) -> None:
    given = {**CLEAN, "DATABASE_URL": "postgresql://u:p@db/x", "REDIS_URL": "redis://r/1"}
    plan = make(Options(home=tmp_path / "home"), given)
    assert (plan.postgres, plan.valkey) == (None, None)
    assert plan.env["REDIS_URL"] == "redis://r/1"


def test_the_front_end_gets_what_stands_in_the_dotenv(tmp_path: Path) -> None:
    (tmp_path / "no.env").write_text(
        "FRONTEND_TOKEN=from-the-file-0123456789\nREALTIME_PUBLIC_URL=wss://rt.example.com/connection/websocket\n"
        "FORWARDED_FOR_FROM=10.0.0.1\n"
    )
    plan = make(Options(home=tmp_path / "home"), CLEAN)
    assert plan.env["FRONTEND_TOKEN"] == "from-the-file-0123456789"
    assert plan.env["REALTIME_PUBLIC_URL"] == "wss://rt.example.com/connection/websocket"
    assert plan.env["MOBULA_TRUST_PROXY"] == "1"


def test_nobody_is_believed_to_be_a_proxy_unasked(tmp_path: Path) -> None:
    assert "MOBULA_TRUST_PROXY" not in make(Options(home=tmp_path / "home"), CLEAN).env
    told = {**CLEAN, "FORWARDED_FOR_FROM": "10.0.0.1", "MOBULA_TRUST_PROXY": "0"}
    assert make(Options(home=tmp_path / "home"), told).env["MOBULA_TRUST_PROXY"] == "0"


def test_ports_follow_the_option(tmp_path: Path) -> None:
    plan = make(Options(home=tmp_path / "home", http_port=8010), CLEAN)
    assert (plan.ports.http, plan.ports.frontend) == (8010, 3010)
    assert plan.websocket_url == "ws://127.0.0.1:8010/connection/websocket"


@pytest.mark.parametrize("service", ["postgres", "valkey"])
def test_the_block_moves_away_from_a_stranger_and_stays_with_servers_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    before = make(Options(home=tmp_path / "home"), CLEAN).ports
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", before.service(service)))
        listener.listen()
        server = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}[service]
        with monkeypatch.context() as ours:
            ours.setattr(server, "is_left_behind", lambda self: True)
            assert make(Options(home=tmp_path / "home"), CLEAN).ports == before
        moved = make(Options(home=tmp_path / "home"), CLEAN).ports
        assert moved.base != before.base
        assert (moved.http, moved.frontend) == (before.http, before.frontend)


def test_production_refuses_what_is_weak(tmp_path: Path) -> None:
    with pytest.raises(ProductionRefused, match="SECRET_KEY is weak"):
        make(Options(home=tmp_path / "home", production=True), {**CLEAN, "SECRET_KEY": "changeme"})


def test_the_callers_environment_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBULA_TEST_CANARY", "1")
    import os

    before = dict(os.environ)
    make(Options(home=tmp_path / "home"), CLEAN)
    assert dict(os.environ) == before


def written(home: Path) -> str:
    return written_by_up(home / "state.env", "ENVIRONMENT")


def test_production_reaches_whoever_reads_the_state_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    plan = make(Options(home=home, production=True), CLEAN)
    assert plan.env["ENVIRONMENT"] == written(home) == "production"
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("MOBULA_HOME", str(home))
    assert Settings(_env_file=tmp_path / "no.env").environment == "production"  # type: ignore[call-arg]


def test_a_checkout_stays_in_production_until_it_is_told_otherwise(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make(Options(home=home, production=True), CLEAN)
    for _ in range(2):
        again = make(Options(home=home), CLEAN)
        assert (again.settings.environment, again.env["ENVIRONMENT"], again.remembered) == (*["production"] * 2, True)
    back = make(Options(home=home), {**CLEAN, "ENVIRONMENT": "development"})
    assert (back.settings.environment, back.remembered, written(home)) == ("development", False, "development")
    assert make(Options(home=home), CLEAN).settings.environment == "development"


@pytest.mark.parametrize("environ", [{"SECRET_KEY": "changeme"}, {"PUBLIC_URL": "https://shop.example"}])
def test_a_refused_production_is_not_remembered(tmp_path: Path, environ: dict[str, str]) -> None:
    home = tmp_path / "home"
    with pytest.raises(ProductionRefused):
        make(Options(home=home, production=True), {**CLEAN, **environ})
    assert make(Options(home=home), CLEAN).settings.environment == "development"


@pytest.mark.parametrize(
    ("asked", "environ", "said"),
    [
        ({"production": True}, {"ENVIRONMENT": "development"}, "--production, but ENVIRONMENT=development is set"),
        ({"development": True}, {}, r"the last start here was --production\): ENVIRONMENT=development ./mobula dev"),
        ({"development": True}, {"ENVIRONMENT": "production"}, "ENVIRONMENT=development ./mobula dev"),
        ({"fresh": True}, {}, "would delete the data of production"),
    ],
)
def test_what_contradicts_production_is_refused(
    tmp_path: Path, asked: dict[str, bool], environ: dict[str, str], said: str
) -> None:
    home = tmp_path / "home"
    make(Options(home=home, production=True), CLEAN)
    with pytest.raises(ProductionRefused, match=said):
        make(Options(home=home, **asked), {**CLEAN, **environ})  # type: ignore[arg-type]
    assert written(home) == "production"


def test_other_commands_in_production_need_not_know_how_mail_is_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make(Options(home=home, production=True), CLEAN)
    assert make(Options(home=home), {**CLEAN, "PUBLIC_URL": "https://shop.example"}).remembered


def test_fresh_has_new_passwords_and_the_old_ones_until_the_data_is_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = make(Options(home=home), CLEAN)
    fresh = make(Options(home=home, fresh=True), CLEAN)
    assert before.postgres is not None
    assert fresh.postgres is not None
    assert fresh.env["DATABASE_URL"] == fresh.postgres.dsn != before.postgres.dsn
    assert fresh.secrets.valkey_password != before.secrets.valkey_password
    assert make(Options(home=home), CLEAN).env["DATABASE_URL"] == before.postgres.dsn, "the start did not come to it"


def test_fresh_does_not_pretend_to_empty_a_server_that_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="DATABASE_URL names another, whose data stays"):
        make(Options(home=tmp_path / "home", fresh=True), {**CLEAN, "DATABASE_URL": "postgresql://u:p@db/x"})
    make(Options(home=tmp_path / "home", fresh=True), {**CLEAN, "REDIS_URL": "redis://r/1"})


def test_a_plan_that_is_not_to_be_recorded_leaves_what_others_wrote(tmp_path: Path) -> None:
    home = tmp_path / "home"
    fresh = make(Options(home=home), CLEAN, record=False)
    assert fresh.postgres is not None
    assert [file for file in (fresh.paths.state_env, fresh.paths.ports_file) if file.exists()] == []
    started = make(Options(home=home), CLEAN)
    assert (started.ports, started.env) == (fresh.ports, fresh.env), "a later start finds the same"
    before = fresh.paths.state_env.read_bytes(), fresh.paths.ports_file.read_bytes()
    asked = {**CLEAN, "DATABASE_URL": "postgresql://u:p@db/x", "ENVIRONMENT": "production", "HTTP_PORT": "8123"}
    assert make(Options(home=home), asked, record=False).settings.http_port == 8123
    assert (fresh.paths.state_env.read_bytes(), fresh.paths.ports_file.read_bytes()) == before
