"""How the supervisor creates a node's agent, and what the agent uses."""

import asyncio
import os
from functools import partial
from typing import Any, Final

import ray
from ray.actor import ActorProxy
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.agents.actor import NodeAgent, default_capacity
from actors.agents.edge_watch import EdgeWatch
from actors.agents.launcher import RayLauncher
from actors.agents.watchdog import Watchdog
from actors.jobs import handle as jobs
from actors.jobs.registry import load_registry, load_runner
from actors.sessions.handle import retire
from cluster import telemetry
from cluster.names import RAY_NAMESPACE, node_agent
from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.settings import get_settings

MAX_CONCURRENCY: Final = 1_000
ANSWER_DEADLINE_S: Final = 3.0


_ensured: dict[str, ActorProxy[NodeAgent]] = {}


class NodeAgentProcess(NodeAgent):
    """The agent as Ray creates it: at work from its constructor on, because a restart runs nothing else.

    State, Concurrency, Failure, Restart: see `NodeAgent`.
    """

    async def __init__(self, node: str) -> None:  # type: ignore[misc]  # Ray awaits an actor's constructor
        from actors.agents.connections import Connections  # noqa: PLC0415 - the supervisor imports this module too

        settings = get_settings()
        telemetry.start(settings, process="agent")
        connections = await Connections.open(settings, node)
        super().__init__(
            node,
            registry=load_registry(),
            runner=load_runner()(settings, connections.database),
            call=jobs.call,
            fire=connections.fire,
            publish=connections.publish,
            capacity=default_capacity(os.cpu_count() or 1, settings),
            edge=EdgeWatch(partial(generations.living, generations.directory(Paths(settings.mobula_home))), retire),
        )
        watchdog = Watchdog(self.busy_with)
        watchdog.start()
        self._keep = (connections, watchdog)
        sink: Any = ray.get_runtime_context().current_actor
        await self.start(RayLauncher(node, sink))


def ensure(node: str) -> ActorProxy[NodeAgent]:
    """The agent of a node; created when there is none. Blocks while it asks the cluster."""
    actor: Any = ray.remote(NodeAgentProcess).options(
        name=node_agent(node),
        namespace=RAY_NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=MAX_CONCURRENCY,
        enable_task_events=False,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
    )
    handle: ActorProxy[NodeAgent] = actor.remote(node)
    _ensured[node] = handle
    return handle


async def ask(node: str) -> None:
    """Return when the agent that this process has ensured answers.

    Raises TimeoutError, KeyError when none was ensured, or Ray's error. Needs no lookup: a call does not wait for the
    GCS (DESIGN §5, 22).
    """
    async with asyncio.timeout(ANSWER_DEADLINE_S):
        await _ensured[node].describe.remote()


def kill(node: str) -> None:
    """End an agent that does not answer; Ray starts it again. Blocks while it asks the cluster."""
    handle: Any = get(node)
    ray.kill(handle, no_restart=False)


def get(node: str) -> ActorProxy[NodeAgent]:
    """The agent of a node. Raises ValueError when there is none. Blocks while it asks the cluster."""
    handle: ActorProxy[NodeAgent] = ray.get_actor(node_agent(node), namespace=RAY_NAMESPACE)
    return handle
