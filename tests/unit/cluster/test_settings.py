from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.settings import ProductionRefused, Settings, changed, require_production_ready

STRONG = "Zq8s1nV0kP3xW7bT5mJ2rC9yF4hD6gLa"


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("text", ['["https://a.example","https://b.example"]', "https://a.example, https://b.example"])
def test_lists_are_json_or_commas(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BACKEND_CORS_ORIGINS", text)
    assert settings().backend_cors_origins == ["https://a.example", "https://b.example"]


def test_the_environment_is_stronger_than_what_up_wrote(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "state.env").write_text("HTTP_PORT=8123\nFRONTEND_PORT=3123\n")
    monkeypatch.setenv("MOBULA_HOME", str(tmp_path))
    monkeypatch.setenv("HTTP_PORT", "9999")
    read = Settings(_env_file=tmp_path / "none")  # type: ignore[call-arg]
    assert (read.http_port, read.frontend_port) == (9999, 3123)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http_port", "many"),
        ("environment", "staging"),
        ("realtime_replicas", 1),
        ("access_token_expire_minutes", 0),
        ("export_link_minutes", -1),
        ("max_connections", 0),
        ("rate_limit_per_minute", -1),
        ("smtp_port", 70_000),
        ("frontend_token", "a } || { always_true"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(**{name: value})


def test_secrets_do_not_show() -> None:
    assert STRONG not in repr(settings(secret_key=STRONG))


def test_database_addresses_of_every_spelling() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+asyncpg"):
        read = settings(database_url=f"{scheme}://u:p@h/db")
        assert read.asyncpg_dsn == "postgresql://u:p@h/db"
        assert read.sqlalchemy_url == "postgresql+asyncpg://u:p@h/db"
    with pytest.raises(ValueError, match="mobula up"):
        _ = settings().asyncpg_dsn


def production(tmp_path: Path, **values: object) -> Settings:
    key = tmp_path / "signing.pem"
    key.write_text("key")
    return settings(
        **{
            "environment": "production",
            "secret_key": STRONG,
            "encryption_key": STRONG,
            "server_api_key": STRONG,
            "database_url": "postgresql://u:p@h/db",
            "signing_key_file": key,
            **values,
        }
    )


def test_production_with_everything_is_allowed(tmp_path: Path) -> None:
    good = production(tmp_path)
    assert require_production_ready(good) is good


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"secret_key": ""}, "SECRET_KEY is missing"),
        ({"secret_key": "short"}, "SECRET_KEY is weak"),
        ({"encryption_key": "changeme" * 8}, "ENCRYPTION_KEY is weak"),
        ({"server_api_key": "a" * 64}, "SERVER_API_KEY is weak"),
        ({"database_url": ""}, "DATABASE_URL is missing"),
        ({"signing_key_file": Path("/nowhere.pem")}, "SIGNING_KEY_FILE"),
        ({"realtime_insecure": True}, "REALTIME_INSECURE"),
        ({"backend_cors_origins": ["*"]}, "BACKEND_CORS_ORIGINS"),
    ],
)
def test_production_refuses_and_says_which(tmp_path: Path, values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ProductionRefused, match=complaint):
        require_production_ready(production(tmp_path, **values))


def test_development_needs_nothing() -> None:
    assert require_production_ready(settings(), outward=True).production_problems() == []
    assert require_production_ready(settings()).production_problems() == []


def test_a_changed_copy_is_validated() -> None:
    assert changed(settings(), http_port=1).http_port == 1
    with pytest.raises(ValidationError):
        changed(settings(), http_port="many")


def test_what_is_refused_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="frontend_token") as refused:
        Settings(_env_file=None, frontend_token="hunter2 with blanks", database_url="postgresql://u:hunter2@h/d")  # type: ignore[call-arg,arg-type]
    assert "hunter2" not in str(refused.value)
