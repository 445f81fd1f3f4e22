"""The way to the metrics shard: it lives in the first shard host."""

from collections.abc import Callable

from actors.hosts import handle as hosts
from actors.metrics.pusher import MetricsPusher

KIND = "metrics"
SHARD = 0
"""There is one: a push is a few kilobytes every two seconds."""


async def call(method: str, payload: bytes, timeout_s: float) -> bytes:
    """Ask the shard."""
    return await hosts.call(KIND, SHARD, method, payload, timeout_s)


def connect(boot_id: str, *, before_push: Callable[[], None] | None = None) -> MetricsPusher:
    """This process's pusher; `start()` it."""
    return MetricsPusher(boot_id, call, before_push=before_push)
