"""How the supervisor creates a node's agent, and what the agent uses."""

import os
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import ray
from ray.actor import ActorProxy
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.agents import effects
from actors.agents.actor import NodeAgent, default_capacity
from actors.agents.launcher import RayLauncher
from actors.agents.watchdog import Watchdog
from actors.brokers import handle as brokers
from actors.brokers.contract import PublishRequest
from actors.caches import handle as caches
from actors.jobs import handle as jobs
from actors.jobs.contract import Schedule
from actors.jobs.registry import load_registry, load_runner
from cluster.names import RAY_NAMESPACE, node_agent
from cluster.settings import get_settings
from db.jobs import cron
from db.jobs.queue import NewJob
from db.session import Database

MAX_CONCURRENCY: Final = 1_000
POOL_SIZE: Final = 3
POOL_OVERFLOW: Final = 5
"""Inline jobs of one node share these; more of them at once wait for a connection rather than exhaust the server."""


class NodeAgentProcess(NodeAgent):
    """The agent as Ray creates it: at work from its constructor on, because a restart runs nothing else.

    State, Concurrency, Failure, Restart: see `NodeAgent`.
    """

    async def __init__(self, node: str) -> None:  # type: ignore[misc]  # Ray awaits an actor's constructor
        settings = get_settings()
        database = Database(
            settings.asyncpg_dsn,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            application_name=f"mobula-agent:{node[:8]}",
        )
        boot_id = uuid4().hex
        client = brokers.connect(boot_id)
        cache = caches.connect(boot_id)
        await client.start()
        await cache.start()
        effects.register(database, cache=cache)

        async def fire(schedule: Schedule, fire_at: datetime) -> None:
            # Unique while alive: a run that takes longer than its interval is not joined by a second one.
            job = NewJob(schedule.kind, schedule.args, queue=schedule.queue, unique_key=f"cron:{schedule.name}")
            async with database.transaction() as session:
                await cron.fire(session, schedule.name, fire_at, job)

        async def publish(channel: str, data: bytes) -> None:
            await client.publish(PublishRequest(channel=channel, data=data, publication_id=uuid4().hex))

        super().__init__(
            node,
            registry=load_registry(),
            runner=load_runner()(settings, database),
            call=jobs.call,
            fire=fire,
            publish=publish,
            capacity=default_capacity(os.cpu_count() or 1),
        )
        watchdog = Watchdog(self.busy_with)
        watchdog.start()
        self._keep = (database, client, cache, watchdog)
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
    return handle


def get(node: str) -> ActorProxy[NodeAgent]:
    """The agent of a node. Raises ValueError when there is none. Blocks while it asks the cluster."""
    handle: ActorProxy[NodeAgent] = ray.get_actor(node_agent(node), namespace=RAY_NAMESPACE)
    return handle
