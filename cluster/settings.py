"""Every environment variable, once, typed and documented.

Sources, strongest first: the environment, `.env` (another file: `MOBULA_DOTENV`), `MOBULA_HOME/state.env` (written by
`./mobula up`: addresses and secrets of the services that it started). `.env.example` and docs/settings.md are generated
from this module by cluster/settings_docs.py.
"""

import json
import os
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from cluster.outward import outward_problems

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: where `mobula`, `alembic.ini` and `frontend/` are."""


DOTENV = Path(os.environ.get("MOBULA_DOTENV") or ROOT / ".env")

MIN_SECRET_LENGTH = 32
"""Characters that a production secret needs: 32 random hexadecimal digits are 128 bits."""

WEAK_WORDS = ("changeme", "change-me", "secret", "password", "example", "test", "default", "12345")
"""A production secret that begins with one of these was copied from somewhere."""


def _split(value: object) -> object:
    """Lists may be written as JSON or with commas."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return json.loads(text)
    return [part.strip() for part in text.split(",") if part.strip()]


StringList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
"""A list setting: `["a","b"]` or `a,b`."""


def _networks(value: list[str]) -> list[str]:
    """Addresses and networks, such as 10.0.0.0/8 or 2001:db8::/32."""
    for text in value:
        ip_network(text, strict=False)
    return value


def _plain(value: SecretStr) -> SecretStr:
    """A secret that ends up in a configuration file of a language with quotes and blanks of its own."""
    if not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in value.get_secret_value()):
        raise ValueError("only letters, digits, - and _")
    return value


class Settings(BaseSettings):
    """Validated settings of one process. Build through `get_settings()`; tests build their own."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a secret, and what is refused is shown and logged
    )

    # Process
    environment: Literal["development", "test", "production"] = Field(
        default="development", description="`production` refuses weak secrets, demo accounts and insecure modes."
    )
    mobula_home: Path = Field(default=ROOT / ".mobula", description="State directory: data, logs, secrets, sockets.")
    log_level: str = Field(default="INFO", description="Level of our own logs.")
    log_format: Literal["json", "console"] = Field(
        default="json", description="Of our log files; `console` is for people, who have `./mobula logs`."
    )

    # Services
    database_url: SecretStr = Field(
        default=SecretStr(""), description="Postgres 15 or later, postgresql://…; empty: the embedded server."
    )
    redis_url: SecretStr = Field(default=SecretStr(""), description="Redis 7 or Valkey; empty: the embedded server.")
    database_pool_size: int = Field(default=5, ge=1, description="Connections that an api replica keeps open.")
    database_max_overflow: int = Field(default=5, ge=0, description="Connections above these, on demand.")

    # Addresses
    http_host: str = Field(default="127.0.0.1", description="Where HAProxy listens.")
    http_port: int = Field(default=8000, ge=1, le=65535, description="HAProxy's port: REST, WebSocket, health.")
    frontend_port: int = Field(default=3000, ge=1, le=65535, description="The Next.js server's port.")
    public_url: str = Field(
        default="http://localhost:3000",
        description="Origin that people open; used in links and e-mails. Passkeys are for its host.",
    )
    realtime_public_url: str = Field(
        default="ws://localhost:8000/connection/websocket", description="WebSocket address handed to browsers."
    )
    backend_cors_origins: StringList = Field(
        default=["http://localhost:3000", "http://127.0.0.1:3000"],
        description="Exact origins allowed by CORS and for WebSockets.",
    )
    trusted_proxies: Annotated[StringList, AfterValidator(_networks)] = Field(
        default=["127.0.0.1", "::1"],
        description="Peers whose X-Forwarded-For is believed, beside our HAProxys and FORWARDED_FOR_FROM.",
    )

    operator_networks: Annotated[StringList, AfterValidator(_networks)] = Field(
        default=[],
        description="Networks where login sessions may do more than customers; empty: any. API keys have their own.",
    )
    forwarded_for_from: Annotated[StringList, AfterValidator(_networks)] = Field(
        default=[],
        description="Load balancers whose X-Forwarded-For is believed; from everybody else HAProxy drops it.",
    )
    frontend_token: Annotated[SecretStr, AfterValidator(_plain)] = Field(
        default=SecretStr(""),
        description="What the front end proves itself with: HAProxy then passes on which address it was asked from.",
    )

    # Identity
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs download links, cursors and ids of emulated sessions, and proves our HAProxys to replicas; "
        "the same on every node; generated when empty.",
    )
    encryption_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key(s) of any form, newest first, comma-separated: encrypts second factors at rest.",
    )
    signing_key_file: Path | None = Field(
        default=None, description="PEM with the Ed25519 private keys; default: MOBULA_HOME/secrets/signing.pem."
    )
    access_token_expire_minutes: int = Field(default=10, ge=1, le=60, description="Life of an access token.")
    refresh_token_expire_days: int = Field(default=7, ge=1, description="Idle life of a refresh family.")
    session_absolute_days: int = Field(
        default=30, ge=1, description="A login session ends after this, whatever happens."
    )
    hide_accounts: bool = Field(
        default=False,
        description="Registration answers 202 whether or not a name is taken; mail says it."
        " Who has an account can still ask for ten addresses an hour, by giving them to it.",
    )
    unverified_without: StringList = Field(
        default=[],
        description="Permissions that an account lacks until its e-mail address is verified; empty: none.",
    )
    argon2_memory_kib: int = Field(default=19456, ge=8, description="argon2id memory per hash.")
    argon2_time_cost: int = Field(default=2, ge=1, description="argon2id passes.")
    rate_limit_per_minute: int = Field(
        default=600, ge=0, description="Requests per minute and caller; 0 switches it off."
    )
    registrations_per_hour: int = Field(
        default=60,
        ge=0,
        description="Registrations per hour and address; 0, or RATE_LIMIT_PER_MINUTE=0, switches it off.",
    )
    login_rate_limit_per_minute: int = Field(
        default=10,
        ge=0,
        description="Failed logins per minute, per account (apart for places it has used); thrice that per address.",
    )

    # Realtime
    realtime_replicas: int = Field(
        default=2,
        ge=2,
        description="Replicas of the realtime application, two at least: clients of one that is lost need another. "
        "Fixed while it runs.",
    )
    api_replicas: int = Field(default=1, ge=1, description="Replicas of the api application.")
    api_replicas_max: int = Field(
        default=0,
        ge=0,
        description="Up to so many when they are busy, changed every five minutes at most; 0: their number is fixed.",
    )
    namespaces_file: Path = Field(default=ROOT / "cluster" / "namespaces.yaml", description="Channel namespaces.")
    realtime_insecure: bool = Field(
        default=False, description="Development only: connect and do anything without a token."
    )
    realtime_anonymous: bool = Field(
        default=False, description="Connecting without a token is allowed, as nobody; namespaces say what nobody may."
    )
    realtime_token_hmac_secret: SecretStr = Field(
        default=SecretStr(""), description="Shared secret of another issuer of realtime tokens; empty: none."
    )
    realtime_token_hmac_algorithm: Literal["HS256", "HS384", "HS512"] = Field(
        default="HS256", description="The only algorithm that the shared secret is used with."
    )
    realtime_token_public_key_file: Path | None = Field(
        default=None, description="PEM with public keys (RSA, ECDSA, Ed25519) of another issuer of realtime tokens."
    )
    realtime_token_rsa_algorithm: Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] = Field(
        default="RS256", description="The only algorithm that RSA keys which state none are used with."
    )
    realtime_token_jwks_url: str = Field(
        default="", description="Where another issuer of realtime tokens publishes its keys (JWKS)."
    )
    realtime_token_issuer: str = Field(
        default="", description="What `iss` must be in another issuer's tokens; empty: anything."
    )
    realtime_token_audience: str = Field(
        default="", description="What `aud` must hold in another issuer's tokens; empty: anything."
    )
    realtime_token_user_claim: str = Field(
        default="sub", min_length=1, description="Claim with the user's id in another issuer's tokens."
    )
    server_api_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of the realtime server API beside database API keys; generated when empty.",
    )
    max_connections: int = Field(default=10_000, ge=1, description="Open sockets per realtime replica.")
    max_connections_per_user: int = Field(
        default=200, ge=0, description="Connections of one user in the whole cluster, then 3504; 0: any number."
    )
    realtime_connect_rate: int = Field(
        default=500,
        ge=0,
        description="Handshakes per second and realtime replica; more wait up to 3 s, then get 503. 0: any.",
    )
    realtime_connect_rate_per_address: int = Field(
        default=50,
        ge=0,
        description="Handshakes per second, address and replica, ten seconds' worth at once, then 429; 0: any. "
        "TRUSTED_PROXIES and FORWARDED_FOR_FROM are exempt: behind them there is anybody.",
    )
    realtime_unauthenticated_per_address: int = Field(
        default=500,
        ge=0,
        description="Sockets per address and replica that have not sent `connect`, then 429; 0: any number.",
    )
    realtime_stale_seconds: float = Field(
        default=10.0, gt=0, description="A socket that has not sent `connect` by then is closed with 3502."
    )
    realtime_ping_seconds: int = Field(default=25, ge=1, description="Time between the server's pings.")
    realtime_pong_seconds: float = Field(
        default=8.0, gt=0, description="Without a pong this long after a ping: 3012. Less than the time between pings."
    )
    realtime_max_channels: int = Field(default=128, ge=1, description="Subscriptions per connection, then error 106.")
    realtime_shared_poll_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the keys that a user may track in shared polls; empty: such channels answer 108.",
    )
    realtime_max_errors_per_minute: int = Field(
        default=300,
        ge=1,
        description="Errors that a connection may cause per minute, then 3509; temporary ones are free.",
    )
    realtime_last_frames: int = Field(
        default=4,
        ge=0,
        le=50,
        description="Last frames that are kept of each connection for operators, secrets redacted when shown; 0: none.",
    )
    edge_max_connections: int = Field(
        default=0, ge=0, description="HAProxy's connections per node; 0: computed from the open-file limit."
    )
    edge_max_connections_per_address: int = Field(
        default=0,
        ge=0,
        description="HAProxy's connections per client address and node (then 429); 0: a quarter of all. Loopback and "
        "FORWARDED_FOR_FROM are exempt: there one address stands for many clients.",
    )
    drain_seconds: int = Field(
        default=30, ge=1, description="A replica that is replaced stays reachable this long (the drain window)."
    )
    serve_machinery: bool = Field(
        default=False, description="Answer through Serve's request machinery instead of the edge hook."
    )

    # Ray
    node_address: str = Field(
        default="127.0.0.1",
        description="This machine's address for other Ray nodes; loopback: one machine. Any other needs an HTTP_HOST "
        "that other machines reach.",
    )
    mobula_ray_address: str = Field(
        default="",
        description="host:port of the GCS; `up` sets it. RAY_ADDRESS is never used (it may name a dead one).",
    )
    ray_auth_token_path: Path | None = Field(
        default=None, description="File with the cluster's token; default: MOBULA_HOME/secrets/ray_token."
    )
    ray_cpus: int = Field(default=0, ge=0, description="CPUs that Ray schedules onto; 0: what the machine has.")
    ray_object_store_mb: int = Field(default=128, ge=75, description="Ray's shared memory for objects.")
    ray_dashboard: bool = Field(default=False, description="Run Ray's own dashboard (80 MB) on its loopback port.")

    # Placement
    shard_hosts: int = Field(default=1, ge=1, description="Processes that host shards.")
    shard_standby: bool = Field(
        default=True,
        description="A second, warm process per shard host that takes over within about a second (80 MB each). Without "
        "it a host that dies is back when Ray has started it again, after 3 to 7 s.",
    )
    broker_shards: int = Field(default=1, ge=1, description="Shards that own channels.")
    broker_channels_max: int = Field(
        default=200_000,
        ge=1,
        description="Channels in memory per broker shard. Beyond it those that nobody is subscribed to are forgotten, "
        "the longest unused first; when all have subscribers, a further one gets error 111.",
    )
    broker_memory_mb: int = Field(
        default=256,
        ge=1,
        description="What the channels of a broker shard keep: histories, maps, idempotency keys. Beyond it those that "
        "nobody is subscribed to are forgotten, then the oldest publications of who publishes; keys get error 111.",
    )
    session_shards: int = Field(default=1, ge=1, description="Shards that own users' sessions.")
    cache_shards: int = Field(default=1, ge=1, description="Shards of the cache.")

    # Demo
    demo_password: SecretStr = Field(
        default=SecretStr(""), description="Password of the seeded demo accounts; generated; unused in production."
    )

    # E-mail
    smtp_host: str = Field(
        default="", description="Empty: mail goes to the development mailbox; production for others does not start."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Port of the mail server.")
    smtp_user: str = Field(default="", description="Empty: no authentication.")
    smtp_password: SecretStr = Field(default=SecretStr(""), description="Password of smtp_user.")
    smtp_tls: Literal["none", "starttls", "tls"] = Field(
        default="starttls", description="How the connection is encrypted."
    )
    mail_off: bool = Field(
        default=False,
        description="Nobody gets mail, whatever SMTP_HOST says: for trials of production and copies of its data.",
    )
    mail_per_minute: int = Field(
        default=0,
        ge=0,
        description="E-mails that are sent per minute at most, by the whole cluster, evenly spread; 0: no limit.",
    )
    mail_from: str = Field(default="Mobula <no-reply@mobula.localhost>", description="Sender of our e-mails.")

    # Exports
    export_dir: Path | None = Field(default=None, description="Where export files go; default: MOBULA_HOME/exports.")
    export_processes: int = Field(
        default=0,
        ge=0,
        description="How many processes write one large export at once; 0: as many as the cluster has processors, 4 at"
        " most. Each keeps a processor of the database busy.",
    )
    export_link_minutes: int = Field(default=15, ge=1, description="Life of a signed download link.")

    # Observability
    sentry_dsn: SecretStr = Field(default=SecretStr(""), description="Where errors of every process go; empty: off.")
    otel_enabled: bool = Field(default=False, description="Record OpenTelemetry spans in every process.")
    otel_sampling_ratio: float = Field(default=1.0, ge=0, le=1, description="Share of traces that are recorded.")
    otel_exporter_otlp_endpoint: str = Field(
        default="", description="Collector; empty: spans go to MOBULA_HOME/logs/spans.jsonl."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""), description="Bearer token of /metrics; empty: loopback callers only."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The weakest source is what `up` wrote. `Settings(_env_file=None)` reads no file at all."""
        sources = (init_settings, env_settings, dotenv_settings)
        if isinstance(dotenv_settings, DotEnvSettingsSource) and dotenv_settings.env_file is None:
            return sources
        home = Path(os.environ.get("MOBULA_HOME") or ROOT / ".mobula")
        return (*sources, DotEnvSettingsSource(settings_cls, env_file=home / "state.env"), file_secret_settings)

    @model_validator(mode="after")
    def _pong_before_ping(self) -> Self:
        if self.realtime_pong_seconds >= self.realtime_ping_seconds:
            raise ValueError("REALTIME_PONG_SECONDS must be less than REALTIME_PING_SECONDS")
        return self

    @model_validator(mode="after")
    def _fewer_replicas_than_most(self) -> Self:
        if 0 < self.api_replicas_max < self.api_replicas:
            raise ValueError("API_REPLICAS_MAX must be 0 or at least API_REPLICAS")
        return self

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

    @property
    def signing_key_path(self) -> Path:
        """The PEM with the Ed25519 private keys, newest first."""
        return self.signing_key_file or self.mobula_home / "secrets" / "signing.pem"

    @property
    def exports_path(self) -> Path:
        """Where export files go."""
        return self.export_dir or self.mobula_home / "exports"

    def production_problems(self) -> list[str]:
        """What production must not start with, one sentence each; empty when all is well or this is not production."""
        if self.environment != "production":
            return []
        required: dict[str, SecretStr] = {
            "SECRET_KEY": self.secret_key,
            "ENCRYPTION_KEY": self.encryption_key,
            "SERVER_API_KEY": self.server_api_key,
        }
        problems = [
            problem for name, value in required.items() if (problem := _weakness(name, value.get_secret_value()))
        ]
        if not self.database_url.get_secret_value():
            problems.append("DATABASE_URL is missing")
        if not self.signing_key_path.is_file():
            problems.append(f"SIGNING_KEY_FILE: there is no file {self.signing_key_path}")
        if self.realtime_insecure:
            problems.append("REALTIME_INSECURE lets anybody do anything: switch it off")
        secret = self.realtime_token_hmac_secret.get_secret_value()
        if secret and (weakness := _weakness("REALTIME_TOKEN_HMAC_SECRET", secret)):
            problems.append(weakness)
        if self.realtime_token_jwks_url and not self.realtime_token_jwks_url.startswith("https://"):
            problems.append("REALTIME_TOKEN_JWKS_URL must begin with https://: who answers it decides who may connect")
        if "*" in self.backend_cors_origins:
            problems.append("BACKEND_CORS_ORIGINS must list exact origins, not *")
        return problems


def _weakness(name: str, value: str) -> str:
    if not value:
        return f"{name} is missing"
    if len(value) < MIN_SECRET_LENGTH:
        return f"{name} is weak: {len(value)} characters, at least {MIN_SECRET_LENGTH} are needed"
    if value.lower().startswith(WEAK_WORDS) or len(set(value)) < 10:
        return f"{name} is weak: generate it with `openssl rand -hex 32`"
    return ""


def written_by_up(state_env: Path, name: str) -> str:
    """One value of what `up` wrote, whatever else is set; "" when it wrote none."""
    return (dotenv_values(state_env, interpolate=False).get(name) or "") if state_env.is_file() else ""


class ProductionRefused(Exception):
    """Production was asked for with settings that are unsafe. The message names each."""


def require_production_ready(settings: Settings, *, outward: bool = False) -> Settings:
    """Return the settings, or raise ProductionRefused when they say production and must not. `outward`: also for what
    people outside would miss (`cluster.outward`).
    """
    problems = settings.production_problems() + (outward_problems(settings) if outward else [])
    if problems:
        raise ProductionRefused("refusing to start in production:\n" + "\n".join(f"  - {text}" for text in problems))
    return settings


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once. Raises ProductionRefused where production would be unsafe."""
    return require_production_ready(Settings())


def changed(settings: Settings, **values: Any) -> Settings:
    """A copy with other values, validated; for tests and for the command."""
    return Settings.model_validate({**settings.model_dump(), **values})
