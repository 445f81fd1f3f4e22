"""How processes reach the queue owner. It is hosted: `actors.hosts` decides where."""

from collections.abc import Sequence
from typing import Final

import msgspec

from actors.hosts import handle as hosts
from actors.jobs.contract import Counts

KIND: Final = "jobs"
SHARD: Final = 0

WAKE_DEADLINE_S: Final = 1.0
"""A wake-up is a shortcut: the owner looks by itself within five seconds."""

COUNTS_DEADLINE_S: Final = 2.0


async def call(method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call the owner. Raises TimeoutError at our own deadline."""
    return await hosts.call(KIND, SHARD, method, payload, timeout_s)


async def wake(queues: Sequence[str]) -> None:
    """Tell the owner that these queues have new jobs (or that one of their jobs is to be cancelled)."""
    await call("wake", msgspec.msgpack.encode(list(queues)), WAKE_DEADLINE_S)


async def counts() -> Counts:
    """The owner's own view."""
    return msgspec.msgpack.decode(await call("counts", b"", COUNTS_DEADLINE_S), type=Counts)
