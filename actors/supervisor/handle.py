"""How the supervisor is created, and what it uses to look after the cluster."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import ray
import structlog
from ray.actor import ActorProxy
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.agents import handle as agents
from actors.hosts import handle as hosts
from actors.supervisor.actor import HostRestarting, Seen, State, Supervisor, World
from cluster import telemetry
from cluster.names import RAY_NAMESPACE, SUPERVISOR
from cluster.settings import get_settings

READY_LIMIT_S: Final = 90.0
"""A cold start imports everything on two cores; beyond this something is wrong and `ensure` says what is missing."""

ASK_EVERY_S: Final = 0.2
ANSWER_LIMIT_S: Final = 10.0

logger = structlog.get_logger(__name__)


class SupervisorProcess(Supervisor):
    """The supervisor as Ray creates it: looking from its constructor on, because a restart runs nothing else.

    State, Concurrency, Failure, Restart: see `Supervisor`.
    """

    async def __init__(self) -> None:  # type: ignore[misc]  # Ray awaits an actor's constructor
        telemetry.start(get_settings(), process="supervisor")
        super().__init__(_world())
        await self.start()


def ensure(timeout_s: float = READY_LIMIT_S) -> None:
    """Create the supervisor unless it exists, and wait until everything it looks after answers.

    For drivers: blocks. Raises TimeoutError naming what is missing.
    """
    actor: Any = ray.remote(SupervisorProcess).options(
        name=SUPERVISOR,
        namespace=RAY_NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        enable_task_events=False,
        # Beside the GCS, where the driver is: a node that is lost does not take along who looks after the others.
        scheduling_strategy=NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True),
    )
    supervisor: ActorProxy[Supervisor] = actor.remote()
    deadline = time.monotonic() + timeout_s
    missing = ["supervisor"]
    while time.monotonic() < deadline:
        try:
            missing = ray.get(supervisor.ready.remote(), timeout=ANSWER_LIMIT_S)
        except (ray.exceptions.GetTimeoutError, ray.exceptions.RayActorError) as reason:
            missing = [f"supervisor ({reason!r})"]
        if not missing:
            return
        time.sleep(ASK_EVERY_S)
    raise TimeoutError(f"not there after {timeout_s:.0f} s: {', '.join(missing)}")


def _world() -> World:
    return World(
        hosts=get_settings().shard_hosts,
        sides=hosts.sides(),
        ensure_host=_ensure_host,
        ask_host=_ask_host,
        kill_host=_kill_host,
        remove_host=_remove_host,
        nodes=_nodes,
        ensure_agent=_ensure_agent,
        ask_agent=_ask_agent,
        kill_agent=_kill_agent,
    )


async def _ensure_host(index: int, side: int, node: str) -> None:
    await asyncio.to_thread(hosts.ensure, index, side, node)


async def _ask_host(index: int, side: int) -> Seen:
    try:
        report = await hosts.report(index, side)
    except ray.exceptions.ActorUnavailableError as reason:
        raise HostRestarting from reason
    state = State.READY if all(report.ready.values()) else State.STARTING
    return Seen(state if report.active else State.STANDBY, report.node)


async def _kill_host(index: int, side: int) -> None:
    await asyncio.to_thread(hosts.kill, index, side)


async def _remove_host(index: int, side: int) -> None:
    await asyncio.to_thread(hosts.kill, index, side, for_good=True)


async def _nodes() -> Sequence[str]:
    nodes: list[dict[str, Any]] = await asyncio.to_thread(ray.nodes)
    return [node["NodeID"] for node in nodes if node["Alive"]]


async def _ensure_agent(node: str) -> None:
    await asyncio.to_thread(agents.ensure, node)


async def _ask_agent(node: str) -> None:
    try:
        await agents.ask(node)
    except ray.exceptions.ActorUnavailableError as reason:
        raise HostRestarting from reason


async def _kill_agent(node: str) -> None:
    await asyncio.to_thread(agents.kill, node)
