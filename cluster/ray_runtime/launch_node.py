"""Starts the Ray processes of one node and ends, leaving them behind for its supervisor to watch.

The same steps as `ray start`, which we cannot use: it turns a loopback address into the machine's own, always
starts the Ray Client server (97 MB) and a dashboard process (120 MB) even when they are switched off, and lets the
raylet wait for the node's agents to import, during which nothing else starts, and give up after 15 s.
Runs as its own process because it imports Ray, which the supervisor does not.

Usage: python -m cluster.ray_runtime.launch_node PARAMETERS.json
"""

import json
import sys
from pathlib import Path
from typing import Any

import ray._private.utils
import ray._raylet
from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
from ray._private.node import Node
from ray._private.parameter import RayParams
from ray.core.generated import gcs_pb2

MESSAGES: Any = gcs_pb2
ALIVE = MESSAGES.GcsNodeInfo.ALIVE

RAYLET: Any = ray._raylet
"""A compiled module, without types."""


class QuickNode(Node):
    """A node that does not wait for its agents; a head starts a dashboard process only when a dashboard is wanted."""

    def start_api_server(self, *, include_dashboard: bool | None, raise_on_failure: bool) -> None:
        """Called by Node while it starts."""
        if include_dashboard:
            super().start_api_server(include_dashboard=True, raise_on_failure=raise_on_failure)

    def start_raylet(self, *args: Any, **kwargs: Any) -> None:
        """Called by Node. The agents' ports are fixed, so the raylet is told them now instead of waiting for them."""
        parameters, raylet = self._ray_params, RAYLET
        for name, port in (
            (raylet.METRICS_AGENT_PORT_NAME, parameters.metrics_agent_port),
            (raylet.METRICS_EXPORT_PORT_NAME, parameters.metrics_export_port),
            (raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME, parameters.dashboard_agent_listen_port),
            (raylet.RUNTIME_ENV_AGENT_PORT_NAME, parameters.runtime_env_agent_port),
        ):
            raylet.persist_port(self._session_dir, self.node_id, name, port)
        super().start_raylet(*args, **kwargs)


def launch(parameters: dict[str, Any]) -> dict[str, Any]:
    """Start a raylet with exactly these parameters, and before it the GCS unless `gcs_address` names one to join.

    Returns what a driver needs to connect, and how many nodes the cluster has now.
    """
    joins = "gcs_address" in parameters
    if joins or not parameters["include_dashboard"]:
        # What Ray does by itself where the dashboard's packages are not installed: a minimal agent.
        ray._private.utils.get_dashboard_dependency_error = lambda: ImportError("RAY_DASHBOARD is off")
    ensure_token_if_auth_enabled(None, create_token_if_missing=False)
    node = QuickNode(
        RayParams(dashboard_host="127.0.0.1", no_monitor=True, log_to_stderr=None, **parameters),
        head=not joins,
        shutdown_at_exit=False,
        spawn_reaper=False,
    )
    client: Any = node.get_gcs_client()  # type: ignore[no-untyped-call]  # Ray has no types here
    return {
        "address": str(node.gcs_address),
        "dashboard": str(node.webui_url or ""),
        "node": str(node.node_id),
        "nodes": sum(info.state == ALIVE for info in client.get_all_node_info().values()),
    }


if __name__ == "__main__":
    print(json.dumps(launch(json.loads(Path(sys.argv[1]).read_text()))), flush=True)
