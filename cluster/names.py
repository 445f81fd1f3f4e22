"""Every name that can be looked up at run time: actors, namespaces, applications, import strings.

One place, because an import graph cannot see them.
"""

RAY_NAMESPACE = "mobula"

SUPERVISOR = "mobula:supervisor"
"""The one supervisor actor."""


def shard_host(index: int, side: int = 0) -> str:
    """Name of one of the two actors that host the shards of placement group `index` (0-based): `actors.hosts.pair`."""
    return f"mobula:host:{index}" if side == 0 else f"mobula:host:{index}:{side}"


def node_agent(node_id: str) -> str:
    """Name of the agent of one Ray node (hex node id)."""
    return f"mobula:agent:{node_id}"


API_APPLICATION = "api"
REALTIME_APPLICATION = "realtime"
API_ROUTE_PREFIX = "/"
REALTIME_ROUTE_PREFIX = "/connection"

API_IMPORT_PATH = "serve_app.deployments:api"
REALTIME_IMPORT_PATH = "serve_app.deployments:realtime"
EDGE_HOOK_IMPORT_PATH = "serve_app.edge.hook:middlewares"
WORKER_PRELOAD_MODULE = "cluster.ray_runtime.worker_preload"
SUPERVISOR_IMPORT_PATH = "actors.supervisor.handle:ensure"
EDGE_GENERATION_HEADER = "x-mobula-edge"
"""Set by HAProxy on every request: its node's edge and its pid, a socket's generation (DESIGN §5, 19)."""
FRONTEND_HEADER = "x-mobula-frontend"
"""Sent by our front end with FRONTEND_TOKEN: only then does HAProxy pass its X-Forwarded-For on. Goes no further."""
PROXY_HEADER = "x-mobula-proxy"
"""Set by HAProxy on every request to what it proves itself with (`cluster.proxies`): only then, or from
TRUSTED_PROXIES, does a replica believe X-Forwarded-For. Goes no further than the edge."""

JOB_REGISTRY_IMPORT_PATH = "tasks.registry:REGISTRY"
JOB_RUNNER_IMPORT_PATH = "tasks.runner:JobRunner"
"""The queue owner and the agents run what the room above them declares."""
SEED_MODULE = "db.seed"
ADMIN_MODULE = "db.auth.appointing"
SHARDS_MODULE = "actors.brokers.command"

BUCKETS = 1024
"""Keys (channels, users, cache keys) hash to this many fixed buckets; a table maps bucket to shard (DESIGN §5, 5)."""
