"""Every environment variable, once, typed and documented.

Sources, strongest first: the environment, `.env`, `.mobula/state.env` (written by `./mobula up`: addresses and secrets
of the services that it started). `.env.example` and docs/settings.md are generated from this module.
"""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: where `mobula`, `alembic.ini` and `frontend/` are."""


class Settings(BaseSettings):
    """Validated settings of one process. Build through `get_settings()`; tests build their own."""

    model_config = SettingsConfigDict(
        env_file=(ROOT / ".mobula" / "state.env", ROOT / ".env"), extra="ignore", frozen=True
    )

    # Process
    environment: Literal["development", "test", "production"] = Field(
        default="development", description="`production` refuses weak secrets, default accounts and insecure modes."
    )
    mobula_home: Path = Field(default=ROOT / ".mobula", description="State directory: data, logs, secrets, sockets.")
    log_level: str = Field(default="INFO", description="Level of our own logs.")
    log_format: Literal["json", "console"] = Field(default="json", description="`console` is for people.")

    # Services
    database_url: SecretStr = Field(
        default=SecretStr(""), description="Postgres 15 or later, postgresql://…; empty: the embedded server."
    )
    redis_url: SecretStr = Field(default=SecretStr(""), description="Redis 7 or Valkey; empty: the embedded server.")
    database_pool_size: int = Field(default=5, ge=1, description="Connections per process pool (see docs: budget).")
    database_max_overflow: int = Field(default=5, ge=0, description="Connections above the pool size, on demand.")

    # Addresses
    http_host: str = Field(default="127.0.0.1", description="Where HAProxy listens.")
    http_port: int = Field(default=8000, description="HAProxy's port: REST, WebSocket, health.")
    frontend_port: int = Field(default=3000, description="The Next.js server's port.")
    public_url: str = Field(
        default="http://localhost:3000", description="Origin that people open; used in links and e-mails."
    )
    realtime_public_url: str = Field(
        default="ws://localhost:8000/connection/websocket", description="WebSocket address handed to browsers."
    )
    backend_cors_origins: list[str] = Field(
        default=["http://localhost:3000", "http://127.0.0.1:3000"],
        description="Exact origins allowed by CORS and for WebSockets.",
    )
    trusted_proxies: list[str] = Field(
        default=["127.0.0.1", "::1"], description="Peers whose X-Forwarded-For is believed."
    )

    # Identity
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="Signs download links, cursors and CSRF tokens; generated when empty."
    )
    encryption_key: SecretStr = Field(
        default=SecretStr(""), description="Fernet key(s), newest first, comma-separated: encrypts TOTP seeds at rest."
    )
    signing_key_file: Path | None = Field(
        default=None, description="PEM with the Ed25519 private keys; default: MOBULA_HOME/secrets/signing.pem."
    )
    access_token_expire_minutes: int = Field(default=10, ge=1, le=60, description="Life of an access token.")
    refresh_token_expire_days: int = Field(default=7, ge=1, description="Idle life of a refresh family.")
    session_absolute_days: int = Field(
        default=30, ge=1, description="A login session ends after this, whatever happens."
    )
    hide_accounts: bool = Field(default=False, description="Registration answers 202 whether or not the name is taken.")
    argon2_memory_kib: int = Field(default=19456, description="argon2id memory per hash.")
    argon2_time_cost: int = Field(default=2, description="argon2id passes.")
    rate_limit_per_minute: int = Field(default=600, description="Requests per minute and caller; 0 switches it off.")
    login_rate_limit_per_minute: int = Field(
        default=10, description="Failed logins per minute, per account and address."
    )

    # Realtime
    realtime_replicas: int = Field(
        default=2, ge=1, description="Replicas of the realtime application; fixed while it runs."
    )
    api_replicas: int = Field(default=1, ge=1, description="Replicas of the api application.")
    namespaces_file: Path = Field(default=ROOT / "cluster" / "namespaces.yaml", description="Channel namespaces.")
    realtime_insecure: bool = Field(
        default=False, description="Development only: connect and do anything without a token."
    )
    server_api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the realtime server API beside database API keys; generated when empty.",
    )
    max_connections: int = Field(default=10_000, description="Open sockets per realtime replica.")
    serve_machinery: bool = Field(
        default=False, description="Answer through Serve's request machinery instead of the edge hook."
    )

    # Placement
    shard_hosts: int = Field(default=1, ge=1, description="Processes that host shards.")
    broker_shards: int = Field(default=1, ge=1)
    session_shards: int = Field(default=1, ge=1)
    cache_shards: int = Field(default=1, ge=1)

    # E-mail
    smtp_host: str = Field(default="", description="Empty: mail goes to the development mailbox.")
    smtp_port: int = Field(default=587)
    smtp_user: str = Field(default="")
    smtp_password: SecretStr = Field(default=SecretStr(""))
    smtp_tls: Literal["none", "starttls", "tls"] = Field(default="starttls")
    mail_from: str = Field(default="Mobula <no-reply@mobula.localhost>")

    # Exports
    export_dir: Path | None = Field(default=None, description="Where export files go; default: MOBULA_HOME/exports.")
    export_link_minutes: int = Field(default=15, description="Life of a signed download link.")

    # Observability
    sentry_dsn: SecretStr = Field(default=SecretStr(""), description="Empty: off.")
    otel_enabled: bool = Field(default=False, description="Record OpenTelemetry spans.")
    otel_exporter_otlp_endpoint: str = Field(
        default="", description="Collector; empty: spans go to MOBULA_HOME/logs/spans.jsonl."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of /metrics; empty: loopback callers only."
    )

    @property
    def sqlalchemy_url(self) -> str:
        """`database_url` for SQLAlchemy on asyncpg."""
        return self.asyncpg_dsn.replace("postgresql://", "postgresql+asyncpg://", 1)

    @property
    def asyncpg_dsn(self) -> str:
        """`database_url` as asyncpg and libpq want it. Raises ValueError when no database is configured."""
        url = self.database_url.get_secret_value()
        if not url:
            raise ValueError("no database: run './mobula up' first or set DATABASE_URL")
        return url.replace("postgresql+asyncpg://", "postgresql://", 1).replace("postgres://", "postgresql://", 1)


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
