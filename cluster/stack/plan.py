"""Everything that is decided before anything starts: paths, ports, secrets, settings and one environment for all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster import ports as port_blocks
from cluster import secrets
from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime.environment import process_environment
from cluster.secrets import Secrets
from cluster.services.binaries import find_valkey
from cluster.services.errors import ServiceError
from cluster.services.ports import is_free
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.settings import DOTENV, ROOT, ProductionRefused, Settings, changed, require_production_ready, written_by_up
from cluster.stack import daemon_state

PRODUCTION = "production"

FILES_OF_OURS = ("SIGNING_KEY_FILE", "RAY_AUTH_TOKEN_PATH")
"""Settings that name a file, below MOBULA_HOME/secrets unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller of `up` asked for."""

    home: Path = ROOT / ".mobula"
    http_port: int | None = None
    frontend_port: int | None = None
    frontend: bool = True
    development: bool = False
    """Next's development server instead of the built one, and `api` reloaded on change."""
    production: bool = False
    """Also without it, a checkout that was started in production stays in it until ENVIRONMENT says otherwise."""
    fresh: bool = False
    seed: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What will run, where, and with which environment."""

    options: Options
    settings: Settings
    paths: Paths
    ports: Ports
    secrets: Secrets
    postgres: EmbeddedPostgres | None
    """None: DATABASE_URL names a server."""
    valkey: EmbeddedValkey | None
    """None: REDIS_URL names one, or there is no binary."""
    env: dict[str, str]
    remembered: bool = False
    """Production, because the last start here was."""

    @property
    def api_url(self) -> str:
        """Where HAProxy answers."""
        return f"http://{_reachable(self.settings.http_host)}:{self.ports.http}"

    @property
    def frontend_url(self) -> str:
        """Where people look."""
        return f"http://localhost:{self.ports.frontend}"

    @property
    def websocket_url(self) -> str:
        """Where realtime clients connect."""
        return f"ws://{_reachable(self.settings.http_host)}:{self.ports.http}/connection/websocket"


def make(options: Options, environ: Mapping[str, str] | None = None, *, record: bool = True) -> Plan:
    """Decide. `record`: write ports.json and state.env, which every other command believes; for who starts the stack,
    and nobody else. Raises ServiceError, PortError, ProductionRefused, LimitTooLow or PermissionError, each naming its
    remedy.
    """
    environ = dict(os.environ if environ is None else environ)
    environ["MOBULA_HOME"] = str(options.home)
    paths = Paths(options.home)
    paths.prepare()
    # What is asked for in the environment or in .env; never what an earlier `up` wrote, which this one replaces.
    given = _given(environ, options)
    said = options.production or "environment" in given.model_fields_set
    remembered = not said and written_by_up(paths.state_env, "ENVIRONMENT") == PRODUCTION
    if remembered:
        given = given.model_copy(update={"environment": PRODUCTION})
    _require_meant(options, given, remembered=remembered)
    # A running stack keeps its ports and its state.env, whatever another command plans beside it.
    holder = daemon_state.holder(paths)
    foreign = holder is not None and holder.pid != os.getpid()
    before = port_blocks.recorded(paths.ports_file) if foreign else None
    generated = secrets.ensure(paths.secrets)
    ports = before or port_blocks.choose(
        paths.ports_file,
        http=options.http_port or _explicit_port(given, "http_port"),
        frontend=options.frontend_port or _explicit_port(given, "frontend_port"),
        ours=_held(paths, generated),
        record=record,
    )
    if options.fresh:
        generated = secrets.with_new_passwords(generated)
    postgres = None if given.database_url.get_secret_value() else local_postgres(paths, ports, generated)
    no_valkey = bool(given.redis_url.get_secret_value()) or find_valkey() is None
    valkey = None if no_valkey else local_valkey(paths, ports, generated)
    values = {
        **_defaults(given, paths, ports, generated),
        "DATABASE_URL": given.database_url.get_secret_value() or (postgres.dsn if postgres else ""),
        "REDIS_URL": given.redis_url.get_secret_value() or (valkey.dsn if valkey else ""),
        # Other commands and nodes that join must not take production for development.
        "ENVIRONMENT": given.environment,
    }
    # Refused before it is remembered. A start without the flag is asked later (`checks.outward`): this may be none.
    settings = require_production_ready(
        changed(given, **{name.lower(): value for name, value in values.items()}), outward=options.production
    )
    env = {**_for_frontend(settings), **process_environment(environ, settings, paths, ports), **values}
    if record and not foreign:
        # Also read on other machines, where the checkout is elsewhere: its files are found below their MOBULA_HOME.
        lines = [f"{name}={_quoted(value)}\n" for name, value in values.items() if name not in FILES_OF_OURS]
        secrets.write_private(paths.state_env, "".join(lines))
    return Plan(options, settings, paths, ports, generated, postgres, valkey, env, remembered)


def local_postgres(paths: Paths, ports: Ports, generated: Secrets) -> EmbeddedPostgres:
    """The embedded Postgres of this checkout, not yet started."""
    return EmbeddedPostgres(
        paths.postgres,
        ports.service("postgres"),
        password=generated.postgres_password,
        log_file=paths.logs / "postgres.log",
    )


def local_valkey(paths: Paths, ports: Ports, generated: Secrets) -> EmbeddedValkey:
    """The embedded Valkey of this checkout, not yet started."""
    return EmbeddedValkey(
        paths.valkey,
        ports.service("valkey"),
        password=generated.valkey_password,
        log_file=paths.logs / "valkey.log",
    )


def _given(environ: Mapping[str, str], options: Options) -> Settings:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update({name: value for name, value in environ.items() if name != "MOBULA_HOME"})
    os.environ["MOBULA_HOME"] = str(options.home / "nowhere")  # so that no state.env is found
    try:
        settings = Settings(_env_file=DOTENV)
    finally:
        os.environ.clear()
        os.environ.update(before)
    overrides: dict[str, object] = {"mobula_home": options.home}
    if options.production:
        if "environment" in settings.model_fields_set and settings.environment != PRODUCTION:
            raise ProductionRefused(
                f"--production, but ENVIRONMENT={settings.environment} is set: take it out of the environment or .env, "
                "where every other command would believe it"
            )
        overrides["environment"] = PRODUCTION
    return settings.model_copy(update=overrides)


def _require_meant(options: Options, given: Settings, *, remembered: bool) -> None:
    """Refuse what would lose data or safety by an oversight."""
    if options.development and given.environment == PRODUCTION:
        why = "the last start here was --production" if remembered else "ENVIRONMENT=production"
        raise ProductionRefused(f"dev is for development ({why}): ENVIRONMENT=development ./mobula dev")
    if not options.fresh:
        return
    if given.database_url.get_secret_value():
        raise ServiceError(
            "--fresh deletes the data of the embedded servers, and DATABASE_URL names another, whose data stays: empty "
            "that database yourself, then ./mobula up without --fresh"
        )
    if remembered:
        raise ProductionRefused(
            "--fresh would delete the data of production (the last start here was --production): say it again with "
            "--production, or go back with ENVIRONMENT=development"
        )


def _explicit_port(settings: Settings, name: str) -> int | None:
    return int(getattr(settings, name)) if name in settings.model_fields_set else None


def _held(paths: Paths, generated: Secrets) -> set[int]:
    """Ports of our own servers that an earlier command left running, which we are about to adopt. A stranger's on such
    a port is in the way, as on any other.
    """
    before = port_blocks.recorded(paths.ports_file)
    if before is None:
        return set()
    servers = (local_postgres(paths, before, generated), local_valkey(paths, before, generated))
    return {server.port for server in servers if not is_free(server.port) and _is_left_behind(server)}


def _is_left_behind(server: EmbeddedPostgres | EmbeddedValkey) -> bool:
    try:
        return server.is_left_behind()
    except (ServiceError, PermissionError):  # no server of ours could run here
        return False


def _defaults(given: Settings, paths: Paths, ports: Ports, generated: Secrets) -> dict[str, str]:
    """Values for whatever the caller did not set."""
    asked = given.model_fields_set
    frontend = f"http://localhost:{ports.frontend}"
    host = _reachable(given.http_host)
    origins = [frontend, f"http://127.0.0.1:{ports.frontend}"]
    candidates = {
        "public_url": frontend,
        "realtime_public_url": f"ws://{'localhost' if host == '127.0.0.1' else host}:{ports.http}/connection/websocket",
        "backend_cors_origins": ",".join(origins),
        "secret_key": generated.secret_key,
        "encryption_key": generated.encryption_key,
        "server_api_key": generated.server_api_key,
        "frontend_token": generated.frontend_token,
        "realtime_shared_poll_secret": generated.shared_poll_secret,
        "signing_key_file": str(generated.signing_key_file),
        "ray_auth_token_path": str(generated.ray_token_file),
        "demo_password": generated.demo_password,
    }
    chosen = {name.upper(): value for name, value in candidates.items() if name not in asked}
    return {
        **chosen,
        "MOBULA_HOME": str(paths.home),
        "HTTP_PORT": str(ports.http),
        "FRONTEND_PORT": str(ports.frontend),
        "MOBULA_RAY_ADDRESS": f"{given.node_address}:{ports.service('gcs')}",
    }


def _for_frontend(settings: Settings) -> dict[str, str]:
    """What Next reads of the settings: it knows no `.env`. Where a proxy is known, it is in front of Next as well."""
    return {
        "REALTIME_PUBLIC_URL": settings.realtime_public_url,
        "FRONTEND_TOKEN": settings.frontend_token.get_secret_value(),
        **({"MOBULA_TRUST_PROXY": "1"} if settings.forwarded_for_from else {}),
    }


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - compared, not bound


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
