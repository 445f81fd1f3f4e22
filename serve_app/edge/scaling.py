"""How many api replicas there should be, where their number is not fixed (`API_REPLICAS_MAX`).

Serve's own policy counts requests that it has seen, and it sees none of ours: the edge answers them. So replicas report
what they do (`record_autoscaling_stats`), and Serve's controller calls `replicas_for_load`. How long that must have
been so is Serve's business: every change of members makes each HAProxy start anew beside its predecessor, which keeps
the sockets that it has, so there is at most one change in `CHANGE_AT_MOST_EVERY_S` (DESIGN §5, 19).
"""

import math
import time
from typing import Any, Final

REQUESTS: Final = "ongoing_requests"
BUSY: Final = "busy"

TARGET_REQUESTS: Final = 16.0
"""Requests in flight per replica: more than its database connections wait for one another."""

TARGET_BUSY: Final = 0.6
"""Seconds of CPU per second and replica. It computes on one core."""

CHANGE_AT_MOST_EVERY_S: Final = 300.0


def replicas_for_load(context: Any) -> tuple[int, dict[str, Any]]:
    """Serve's autoscaling policy. While no replica has said how busy it is, the number stays."""
    said = context.aggregated_metrics or {}
    if not said.get(REQUESTS):
        return context.target_num_replicas, {}
    needed = max(sum(said[REQUESTS].values()) / TARGET_REQUESTS, sum(said.get(BUSY, {}).values()) / TARGET_BUSY)
    return max(math.ceil(needed), 1), {}


class Busyness:
    """Share of one core that this process used since it was asked last."""

    def __init__(self) -> None:
        self._at, self._used = time.monotonic(), time.process_time()

    def take(self) -> float:
        """Since the last call, or the start."""
        at, used = time.monotonic(), time.process_time()
        passed, worked = at - self._at, used - self._used
        self._at, self._used = at, used
        return worked / passed if passed > 0 else 0.0
