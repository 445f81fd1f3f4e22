"""Tells the cluster that a node is about to go, so that Serve starts its replicas elsewhere and drains those here.

Runs as its own process because it imports Ray, which the node's command does not.

Usage: python -m cluster.ray_runtime.leave_node GCS_ADDRESS NODE_ID SECONDS
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

import ray._raylet
from ray.core.generated import autoscaler_pb2

RAYLET: Any = ray._raylet
MESSAGES: Any = autoscaler_pb2
"""Both are generated, without types."""

ANSWER_LIMIT_S = 10
"""The head may be away, and a node leaves all the same."""


def announce(address: str, node_id: str, seconds: float) -> str:
    """Announce it. Returns why not, or "". Nothing new is placed on the node from now on."""
    deadline_ms = int((time.time() + seconds) * 1000)
    # The one reason that no node refuses.
    reason = MESSAGES.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
    client = RAYLET.GcsClient(address=address)
    accepted, why = client.drain_node(
        node_id, reason, "its ./mobula node was told to stop", deadline_ms, timeout=ANSWER_LIMIT_S
    )
    return "" if accepted else str(why)


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status; why not goes to stderr."""
    address, node_id, seconds = arguments
    refusal = announce(address, node_id, float(seconds))
    if refusal:
        sys.stderr.write(f"{refusal}\n")
    return 1 if refusal else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
