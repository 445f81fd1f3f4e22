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

LINES_NAMED: Final = 200
"""A wake-up names so many keys at most; of more it is said that there are some."""

MANY_KEYS: Final = ""

Woken = str | tuple[str, str]
"""A queue, or (queue, key), or `db.effects.LOOK`."""

COUNTS_DEADLINE_S: Final = 2.0


async def call(method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call the owner. Raises TimeoutError at our own deadline."""
    return await hosts.call(KIND, SHARD, method, payload, timeout_s)


async def wake(lines: Sequence[Woken]) -> None:
    """Tell the owner of new jobs: in these queues without a key, in these (queue, key) with one.

    `db.effects.LOOK` tells it that a job was deferred, or is to be cancelled.
    """
    if len(lines) > LINES_NAMED:
        names = {line if isinstance(line, str) else (line[0], MANY_KEYS) for line in lines}
        lines = sorted(names, key=str)
    await call("wake", msgspec.msgpack.encode(list(lines)), WAKE_DEADLINE_S)


async def counts() -> Counts:
    """The owner's own view."""
    return msgspec.msgpack.decode(await call("counts", b"", COUNTS_DEADLINE_S), type=Counts)
