"""Every port of one checkout, from one recorded block, so that two checkouts run side by side.

The two ports that people type, `http` and `frontend`, are 8000 and 3000 unless `--port` or the settings say otherwise.
All others lie in a block of 256 whose place follows from the checkout's path, and moves on when something listens
there.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.secrets import write_private
from cluster.services import claims
from cluster.services.ports import is_free, who_listens

BLOCK_SIZE = 256
FIRST_BLOCK = 20_000
BLOCKS = 48
"""20000 to 32287: above what servers usually take, below the range that Linux gives to outgoing connections."""

DEFAULT_HTTP = 8000
DEFAULT_FRONTEND = 3000

_SERVICES = (
    "postgres",
    "valkey",
    "gcs",
    "node_manager",
    "object_manager",
    "dashboard",
    "dashboard_agent_http",
    "dashboard_agent_grpc",
    "runtime_env_agent",
    "metrics_export",
    "ray_client",
    "haproxy_stats",
    "haproxy_metrics",
    "fallback_http",
    "fallback_grpc",
)
"""In the order of their place in the block; append only, because blocks are recorded."""

_REPLICA_HTTP = (32, 95)
"""Replicas listen here. A freed port rests for five minutes (the port quarantine), so this allows 64 redeployed
replicas in five minutes."""
_REPLICA_GRPC = (96, 111)
_WORKERS = (112, 255)
"""One per Ray worker process."""


class PortError(Exception):
    """A port is taken. The message says by whom and what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one checkout."""

    http: int
    frontend: int
    base: int

    def service(self, name: str) -> int:
        """The port of one of the services."""
        return self.base + _SERVICES.index(name)

    @property
    def services(self) -> dict[str, int]:
        """Name to port."""
        return {name: self.base + place for place, name in enumerate(_SERVICES)}

    @property
    def replica_http(self) -> tuple[int, int]:
        """First and last port of Serve replicas."""
        return self.base + _REPLICA_HTTP[0], self.base + _REPLICA_HTTP[1]

    @property
    def replica_grpc(self) -> tuple[int, int]:
        """First and last gRPC port of Serve replicas."""
        return self.base + _REPLICA_GRPC[0], self.base + _REPLICA_GRPC[1]

    @property
    def workers(self) -> tuple[int, int]:
        """First and last port of Ray workers."""
        return self.base + _WORKERS[0], self.base + _WORKERS[1]

    @property
    def everything(self) -> set[int]:
        """All of them, for comparing two checkouts."""
        return {self.http, self.frontend, *range(self.base, self.base + BLOCK_SIZE)}


def recorded(file: Path) -> Ports | None:
    """What an earlier start recorded."""
    try:
        data = json.loads(file.read_text())
        return Ports(int(data["http"]), int(data["frontend"]), int(data["base"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def choose(
    file: Path,
    *,
    http: int | None = None,
    frontend: int | None = None,
    free: Callable[[int], bool] = is_free,
    ours: Iterable[int] = (),
    record: bool = True,
) -> Ports:
    """The recorded ports, with what the caller asks for, moved to another block if this one is taken.

    `ours` are ports that our own processes hold already (an adopted Postgres) and that therefore count as free.
    `record`: the next one who asks is answered the same.
    """
    before = recorded(file)
    held = set(ours)

    def usable(base: int) -> bool:
        return not claims.is_claimed_elsewhere(base) and all(
            port in held or free(port) for port in range(base, base + len(_SERVICES))
        )

    base = before.base if before is not None else _place(file)
    for step in range(BLOCKS):
        candidate = FIRST_BLOCK + ((base - FIRST_BLOCK) // BLOCK_SIZE + step) % BLOCKS * BLOCK_SIZE
        if usable(candidate):
            break
    else:
        raise PortError(f"no free block of ports between {FIRST_BLOCK} and {FIRST_BLOCK + BLOCKS * BLOCK_SIZE}")
    if http is None:
        http = before.http if before is not None else DEFAULT_HTTP
    elif frontend is None and (before is None or before.http != http):
        frontend = beside(http)
    if frontend is None:
        frontend = before.frontend if before is not None else DEFAULT_FRONTEND
    chosen = Ports(http, frontend, candidate)
    if record:
        keep(file, chosen)
    return chosen


def keep(file: Path, chosen: Ports) -> None:
    """Record the ports: whoever looks for what listens here, or stops it, goes by them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # Complete or not at all: after a start on a full disk, `down` still has to find what listens.
    write_private(file, json.dumps(asdict(chosen) | {"services": chosen.services}, indent=2) + "\n")


def beside(http: int) -> int:
    """The front end's port when only `--port` was given: 8010 brings 3010."""
    return DEFAULT_FRONTEND + http - DEFAULT_HTTP if DEFAULT_HTTP <= http < DEFAULT_HTTP + 1000 else http + 1


def require_free(port: int, purpose: str, option: str) -> None:
    """Raise PortError that names the process in the way and the option that chooses another port."""
    if claims.is_claimed_elsewhere(port) or not is_free(port):
        raise _taken(port, purpose, option)


def claim(ports: Ports, *, frontend: bool = True) -> None:
    """Keep other starts off these ports until this process ends or gives them back (`cluster.services.claims`).

    Raises PortError when another one was faster, as `require_free` does.
    """
    wanted = [(ports.http, "REST and WebSocket", "--port N"), (ports.base, "first of the services'", "--port N")]
    if frontend:
        wanted.append((ports.frontend, "front end", "--frontend-port N"))
    for port, purpose, option in wanted:
        if not claims.claim(port):
            raise _taken(port, purpose, option)


def _taken(port: int, purpose: str, option: str) -> PortError:
    whom = "another Mobula that is starting" if is_free(port) else who_listens(port)
    return PortError(f"port {port} ({purpose}) is taken by {whom}: stop it, or choose another with {option}")


def _place(file: Path) -> int:
    digest = hashlib.sha256(f"{os.getuid()}:{file.resolve()}".encode()).digest()
    return FIRST_BLOCK + int.from_bytes(digest[:4]) % BLOCKS * BLOCK_SIZE
