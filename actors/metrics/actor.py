"""The shard that adds up what processes count."""

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from actors.metrics.snapshot import Push, Snapshot, add, cumulative
from cluster.settings import Settings

DEAD_AFTER_S = 10.0
"""Five missed pushes: the process is gone, or stopped, or cut off, and may come back with all that it has counted."""

RETURNING = 64
"""So many of those that were given up last are still told from new processes when they push again."""

MAX_PROCESSES = 4096
"""Bounds memory against a crash loop that pushes once per life."""


class MetricsShard:
    """Holds the last snapshot of every process and answers their sum.

    State:
        Soft: last snapshots by boot id, and a baseline: what dead processes counted, so that sums never fall. Those
        that died last are kept one by one: a process that was only silent takes its part out of the baseline again.
    Concurrency:
        Async, one event loop; no method awaits between reading and writing, so calls do not interleave.
    Failure:
        At most once. A lost push is replaced by the next one, two seconds later.
    Restart:
        Baseline and gauges begin anew; processes push again within two seconds. Prometheus sees a counter reset.
    """

    def __init__(
        self, shard: int, shards: int, settings: Settings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """There is one shard (`shard` 0 of `shards` 1)."""
        self._clock = clock
        self._processes: dict[str, tuple[float, Snapshot]] = {}
        self._dead: OrderedDict[str, Snapshot] = OrderedDict()
        self._forgotten: Snapshot = ()
        """What those counted who died before the ones in `_dead`."""
        self._baseline: Snapshot = ()
        """The sum of both."""

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def push(self, payload: bytes) -> bytes:
        """Remember a process's numbers (a `Push` in msgpack)."""
        push = msgspec.msgpack.decode(payload, type=Push)
        self._bury_dead()
        if self._dead.pop(push.boot, None) is not None:
            self._baseline = add((self._forgotten, *self._dead.values()))
        if push.boot in self._processes or len(self._processes) < MAX_PROCESSES:
            self._processes[push.boot] = (self._clock(), push.snapshot)
        return b""

    async def merged(self, _payload: bytes) -> bytes:
        """The sum of all processes, living and dead (a `Snapshot` in msgpack)."""
        self._bury_dead()
        living = (snapshot for _, snapshot in self._processes.values())
        return msgspec.msgpack.encode(add((self._baseline, *living)))

    def _bury_dead(self) -> None:
        now = self._clock()
        for boot, (seen, snapshot) in list(self._processes.items()):
            if now - seen > DEAD_AFTER_S:
                del self._processes[boot]
                counted = self._dead[boot] = cumulative(snapshot)
                self._baseline = add((self._baseline, counted))
        while len(self._dead) > RETURNING:
            _, oldest = self._dead.popitem(last=False)
            self._forgotten = add((self._forgotten, oldest))
