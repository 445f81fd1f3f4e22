"""How to reach the broker shards from any process of the cluster."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from actors.brokers.client import Brokers
from actors.brokers.contract import ChannelSink
from actors.hosts import handle as hosts
from actors.links.placement import shard_of
from cluster.settings import get_settings

KIND: Final = "brokers"
POKE_DEADLINE_S: Final = 2.0

logger = structlog.get_logger(__name__)


async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a broker shard. Raises on any failure, at our own deadline at the latest."""
    return await hosts.call(KIND, shard, method, payload, timeout_s)


def connect(boot_id: str, sink: ChannelSink | None = None) -> Brokers:
    """This process's client of all broker shards; `await start()` it. `boot_id` must be new with every start."""
    return Brokers(boot_id, sink, shards=get_settings().broker_shards, call=call)


class Poker:
    """Tells shards that the outbox has something for them: one call in flight per shard, repetitions merge into one."""

    def __init__(self) -> None:
        self._running: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()

    def poke(self, shards: Iterable[int]) -> None:
        """Poke these shards, now or right after the poke that is under way."""
        for shard in shards:
            if shard in self._running:
                self._again.add(shard)
            else:
                self._running[shard] = asyncio.create_task(self._run(shard))

    async def _run(self, shard: int) -> None:
        try:
            while True:
                self._again.discard(shard)
                try:
                    await call(shard, "poke", b"", POKE_DEADLINE_S)
                except Exception as reason:
                    # Only a shortcut: the shard looks by itself many times a second.
                    logger.debug("poke failed", shard=shard, reason=repr(reason))
                if shard not in self._again:
                    return
        finally:
            del self._running[shard]


_poker = Poker()


async def poke(channels: Iterable[str]) -> None:
    """A transaction has committed publications for these channels: relay them now. Never raises, does not wait."""
    shards = get_settings().broker_shards
    _poker.poke({shard_of(channel, shards) for channel in channels})
