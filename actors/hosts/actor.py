"""The process that hosts shards."""

import asyncio
import os
import time
import uuid

import msgspec
import ray
import structlog

from actors.hosts.contract import UnknownShard
from actors.hosts.kinds import KINDS, placement
from actors.hosts.slot import Slot
from cluster.settings import Settings

logger = structlog.get_logger(__name__)


class HostReport(msgspec.Struct, frozen=True):
    """What a host says about itself."""

    incarnation: str
    pid: int
    ready: dict[str, bool]
    """`kind/shard` → whether it answers."""


class ShardHost:
    """Host the shards that placement gives to this process, and pass calls on to them.

    One per `SHARD_HOSTS`, named by `cluster.names.shard_host`. It knows nothing of what its shards do.

    State:
        Hard: none. Soft: the shards, each with state of its own (see their docstrings).
    Concurrency:
        Async, one event loop for all shards of the host. Calls interleave at every `await` and are not run in the
        order of submission; shards that need order number their calls.
    Failure:
        At most once (`max_task_retries=0`). An error or a missed deadline leaves open whether the call was executed.
        One shard that cannot start does not keep the others from working: it is tried again with backoff.
    Restart:
        Ray starts the process again (`max_restarts=-1`) and re-runs the constructor; every shard is then a new
        incarnation that says so to its clients.
    """

    def __init__(self, index: int, settings: Settings) -> None:
        self.index = index
        self.incarnation = uuid.uuid4().hex
        self._settings = settings
        self._started_at = time.monotonic()
        self._slots: dict[tuple[str, int], Slot] = {}

    async def start(self) -> None:
        """Begin to start every shard; does not wait for them."""
        for kind, shard, shards in placement(self.index, self._settings):
            try:
                create = KINDS[kind].load()
            except ImportError:
                logger.exception("kind of shard cannot be imported", kind=kind)
                continue
            name = f"{kind}/{shard}"
            slot = Slot(name, lambda c=create, n=shard, m=shards: c(n, m, self._settings))  # type: ignore[misc]
            self._slots[kind, shard] = slot
            slot.start()
        logger.info("shard host started", host=self.index, pid=os.getpid(), shards=len(self._slots))

    async def stop(self) -> None:
        """Stop every shard."""
        await asyncio.gather(*(slot.stop() for slot in self._slots.values()))

    @ray.method
    async def call(self, kind: str, shard: int, method: str, payload: bytes) -> bytes:
        """Call one method of one shard. Raises ShardNotReady, UnknownShard, or what the method raises."""
        slot = self._slots.get((kind, shard))
        if slot is None:
            raise UnknownShard(f"host {self.index} has no {kind}/{shard}")
        return await slot.call(method, payload)

    @ray.method
    async def report(self) -> bytes:
        """Who is here and which shards answer (`HostReport`)."""
        ready = {slot.name: slot.ready for slot in self._slots.values()}
        return msgspec.msgpack.encode(HostReport(self.incarnation, os.getpid(), ready))
