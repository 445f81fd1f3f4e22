"""How to reach the session shards from any process of the cluster."""

from collections.abc import Sequence
from typing import Final

from actors.hosts import handle as hosts
from actors.sessions.client import Sessions
from actors.sessions.contract import SessionSink
from actors.sessions.wire import Retired, encode
from cluster.settings import get_settings

KIND: Final = "sessions"
RETIRE_WITHIN_S: Final = 3.0


async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a session shard. Raises on any failure, at our own deadline at the latest."""
    return await hosts.call(KIND, shard, method, payload, timeout_s)


async def retire(generations: Sequence[str]) -> None:
    """Tell every hub of the cluster to leave these HAProxy processes. Raises on any failure."""
    # Every hub is known to every shard; the first tells all.
    await call(0, "retire", encode(Retired(list(generations))), RETIRE_WITHIN_S)


def connect(boot_id: str, sink: SessionSink | None = None) -> Sessions:
    """This process's client of all session shards; `await start()` it. `boot_id` must be new with every start."""
    return Sessions(boot_id, sink, shards=get_settings().session_shards, call=call)
