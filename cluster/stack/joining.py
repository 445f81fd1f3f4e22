"""A node beside the head: joins, is watched and joins again when its raylet dies, until somebody stops it.

It takes its settings from the environment, `.env`, and a copy of the head's `state.env` in its own MOBULA_HOME: the
same database, secrets and Ray token everywhere.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from cluster import ports as port_blocks
from cluster.paths import Paths
from cluster.ports import Ports
from cluster.ray_runtime.environment import process_environment
from cluster.ray_runtime.loopback import is_loopback
from cluster.ray_runtime.worker import RayWorkerNode
from cluster.services import claims
from cluster.services.errors import ServiceError
from cluster.settings import Settings, require_production_ready, written_by_up
from cluster.stack import budget, daemon_state, external, stop_signals
from cluster.stack.budget import BudgetExceeded
from cluster.stack.daemon_state import AlreadyRunning, DaemonLock

WATCH_S = 0.5
RETRY_S = 5.0
"""Between attempts to join again: the head may be away for a while."""


@dataclass(frozen=True, slots=True)
class NodePlan:
    """What a node is started with."""

    head: str
    """host:port of the GCS."""
    settings: Settings
    paths: Paths
    ports: Ports
    env: dict[str, str]


def make(home: Path, *, head: str = "", http_port: int | None = None, environ: Mapping[str, str]) -> NodePlan:
    """Decide. Raises ServiceError, PortError, ProductionRefused, LimitTooLow or AlreadyRunning, each naming its
    remedy.
    """
    paths = Paths(home)
    paths.prepare()
    # Before ports are chosen and recorded: what runs here has them.
    if daemon_state.is_held(paths):
        raise AlreadyRunning(
            f"Mobula runs already with {paths.home} (./mobula status): a node beside it needs a home of its own, "
            "MOBULA_HOME=… ./mobula node"
        )
    os.environ["MOBULA_HOME"] = str(home)
    settings = require_production_ready(Settings(), outward=True)  # this node's agent sends mail, too
    head = head or settings.mobula_ray_address
    if not head:
        raise ServiceError("no head to join: ./mobula node HOST:PORT, the GCS address that ./mobula status shows there")
    _require_shared(settings, paths, head)
    ports = port_blocks.choose(paths.ports_file, http=http_port or settings.http_port)
    port_blocks.require_free(ports.http, "HAProxy of this node", "./mobula node --port N")
    env = {
        **process_environment(environ, settings, paths, ports),
        "ENVIRONMENT": settings.environment,
        "MOBULA_RAY_ADDRESS": head,
        "HTTP_PORT": str(ports.http),
        # Serve knows one port for all nodes, the head's; this is how a node says another.
        "RAY_SERVE_WORKER_PROXY_HTTP_PORT": str(ports.http),
    }
    return NodePlan(head, settings, paths, ports, env)


@claims.released()
def run(plan: NodePlan, say: Callable[[str], None]) -> int:
    """Join, watch, leave. Returns the exit status.

    Raises ServiceError when the first attempt to join fails, PortError when another Mobula takes the same ports.
    """
    port_blocks.claim(plan.ports, frontend=False)
    stopping, hurried = threading.Event(), threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            hurried.set()
        stopping.set()

    lock = DaemonLock(plan.paths)
    lock.take()
    before = stop_signals.catch(on_signal)
    say = _logged(plan.settings, say)
    node = RayWorkerNode(plan.settings, plan.paths, plan.ports, plan.env, plan.head)
    try:
        node.start(stopping.is_set)
        say(f"joined {plan.head}; HAProxy on port {plan.ports.http} once a replica is placed here")
        for line in connections(plan.settings, node.nodes):
            say(line)
        while not stopping.wait(WATCH_S):
            if not node.is_alive():
                say("the raylet has died with all of its node: joining again")
                _join_again(node, stopping, say)
        if node.is_alive():
            say(f"leaving: sockets here are sent elsewhere over {plan.settings.drain_seconds} s (once more: at once)")
            problem = node.leave(hurried.is_set)
            if problem:
                say(f"not drained: {problem}")
    finally:
        left = node.stop()
        stop_signals.restore(before)
        lock.release()
    if left:
        say("these processes do not end: " + ", ".join(str(one.pid) for one in left))
        return 1
    plan.paths.clear_short()
    return 0


def _logged(settings: Settings, say: Callable[[str], None]) -> Callable[[str], None]:
    """What is said is in the node's log too."""
    from cluster import telemetry  # noqa: PLC0415 - only the process that supervises keeps one
    from cluster.logging import get_logger  # noqa: PLC0415 - as above

    telemetry.start(settings, process="node")
    logger = get_logger("mobula.node")

    def say_and_log(text: str) -> None:
        logger.info(text)
        say(text)

    return say_and_log


def connections(settings: Settings, nodes: int) -> list[str]:
    """What so many nodes can open at the database, and whether it allows that; for people.

    A warning and no refusal: it is those who come last that go without, and a node that has to join again must not stay
    away for it.
    """
    try:
        found = external.check_postgres(settings.asyncpg_dsn)
    except ServiceError as problem:
        return [_can_open(settings, nodes, 0), str(problem)]
    allowed, shards = found.max_connections, found.broker_shards
    needed = budget.budget(settings, nodes=nodes, broker_shards=shards)
    line = _can_open(settings, nodes, shards)
    try:
        budget.require_within(needed, allowed)
    except BudgetExceeded as problem:
        return [line, f"warning: {problem}"]
    return [f"{line}; the database allows {allowed}"]


def _can_open(settings: Settings, nodes: int, shards: int) -> str:
    needed, before = (budget.budget(settings, nodes=n, broker_shards=shards) for n in (nodes, max(1, nodes - 1)))
    return f"{nodes} nodes can open {needed}, {needed.total - before.total} of them this one"


def _join_again(node: RayWorkerNode, stopping: threading.Event, say: Callable[[str], None]) -> None:
    while not stopping.is_set():
        try:
            node.start(stopping.is_set)
        except (ServiceError, OSError) as problem:
            say(str(problem))
            stopping.wait(RETRY_S)
        else:
            say("joined again")
            return


def _require_shared(settings: Settings, paths: Paths, head: str) -> None:
    """What a node needs of the head's is here, and reachable from here."""
    copy = f"copy the head's .mobula/state.env and .mobula/secrets to {paths.home}"
    there = written_by_up(paths.state_env, "ENVIRONMENT")
    if there and there != settings.environment:
        raise ServiceError(
            f"ENVIRONMENT is {settings.environment} here and {there} on the head (state.env): take it out of the "
            "environment and .env of this machine"
        )
    if not settings.database_url.get_secret_value():
        raise ServiceError(f"no DATABASE_URL: {copy}, or set the same environment as there")
    for file in (
        settings.ray_auth_token_path or paths.secrets / "ray_token",
        settings.signing_key_path,
    ):
        if not file.is_file():
            raise ServiceError(f"{file} is missing: {copy}")
    if is_loopback(head.rpartition(":")[0]):
        return
    if is_loopback(settings.node_address):
        raise ServiceError("NODE_ADDRESS is a loopback address: set it to this machine's own, which the head can reach")
    if is_loopback(urlsplit(settings.database_url.get_secret_value()).hostname or "localhost"):
        raise ServiceError("DATABASE_URL names this machine itself: several machines need a Postgres that all reach")
    if is_loopback(settings.http_host):
        raise ServiceError("HTTP_HOST is a loopback address: HAProxys of other machines could not reach replicas here")
