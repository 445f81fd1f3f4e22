"""How many database connections this configuration can open, and whether the server allows them (DESIGN §5, 25)."""

from dataclasses import dataclass

from cluster.settings import Settings

CONNECTIONS_PER_HOST = 8
"""A shard host: sessions, and the queue owner's claim and listen connections."""
CONNECTIONS_PER_BROKER_SHARD = 3
"""Group commit and relay on one, recovery reads on two (`db.streams.reader`)."""
CONNECTIONS_PER_AGENT = 8
"""A node's agent and its inline jobs (`actors.agents.connections`)."""
CONNECTIONS_PER_WORKER = 4
"""A job in a process of its own: its transactions, an export's snapshot and the part that it reads."""
REALTIME_POOL = 4
"""A realtime replica's pool: permission callbacks, read positions, presence. Its requests take milliseconds each."""
CONNECTIONS_PER_REPLICA = REALTIME_POOL + 1
"""A realtime replica: its pool, and the roster's group commit."""
RESERVED = 10
"""Migrations, `./mobula psql`, exports' snapshot holder, superuser."""


class BudgetExceeded(Exception):
    """More connections are possible than the server allows. The message says what to change."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Connections by who opens them."""

    api: int
    realtime: int
    hosts: int
    agents: int
    workers: int
    reserved: int = RESERVED

    @property
    def total(self) -> int:
        """All of them at once."""
        return self.api + self.realtime + self.hosts + self.agents + self.workers + self.reserved

    def __str__(self) -> str:
        """For people."""
        return (
            f"{self.total} connections (api {self.api}, realtime {self.realtime}, shard hosts {self.hosts}, "
            f"agents {self.agents}, job workers {self.workers}, reserved {self.reserved})"
        )


def job_workers(settings: Settings) -> dict[str, int]:
    """How many jobs of the queues whose jobs are processes run at once on one node, at most: one export's processes,
    and another export.
    """
    return {"exports": 2, "export_parts": max(3, settings.export_processes - 1)}


def budget(settings: Settings, *, nodes: int = 1, broker_shards: int = 0) -> Budget:
    """The most that this configuration opens. `broker_shards`: how many there are when buckets were moved to more."""
    shards = max(settings.broker_shards, broker_shards)
    per_pool = settings.database_pool_size + settings.database_max_overflow
    # During a redeploy the old and the new replicas run side by side.
    return Budget(
        api=2 * max(settings.api_replicas, settings.api_replicas_max) * per_pool,
        realtime=2 * settings.realtime_replicas * CONNECTIONS_PER_REPLICA,
        # A standby opens none, but a process that was replaced may hold its own for a moment.
        hosts=(1 + settings.shard_standby)
        * (settings.shard_hosts * CONNECTIONS_PER_HOST + shards * CONNECTIONS_PER_BROKER_SHARD),
        agents=nodes * CONNECTIONS_PER_AGENT,
        workers=nodes * sum(job_workers(settings).values()) * CONNECTIONS_PER_WORKER,
    )


def require_within(needed: Budget, max_connections: int) -> None:
    """Raise BudgetExceeded when the server does not allow what may be opened."""
    if needed.total > max_connections:
        raise BudgetExceeded(
            f"the database allows {max_connections} connections, this configuration can open {needed}: raise "
            "max_connections, or lower DATABASE_POOL_SIZE, DATABASE_MAX_OVERFLOW, API_REPLICAS or API_REPLICAS_MAX"
        )
