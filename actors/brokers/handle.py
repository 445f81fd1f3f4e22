"""How to reach the broker shards from any process of the cluster."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog

from actors.brokers import resizing
from actors.brokers.client import Brokers
from actors.brokers.contract import ChannelSink
from actors.brokers.places import Places
from actors.hosts import handle as hosts
from actors.links.placement import shard_of
from cluster.settings import get_settings

KIND: Final = "brokers"
POKE_DEADLINE_S: Final = 2.0
AGREE_LIMIT_S: Final = 10.0
AGREE_PAUSE_S: Final = 0.2

logger = structlog.get_logger(__name__)


async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a broker shard. Raises on any failure, at our own deadline at the latest."""
    return await hosts.call(KIND, shard, method, payload, timeout_s)


def connect(boot_id: str, sink: ChannelSink | None = None) -> Brokers:
    """This process's client of all broker shards; `await start()` it. `boot_id` must be new with every start."""
    return Brokers(boot_id, sink, shards=get_settings().broker_shards, call=call)


async def agree_on_rules(version: str, *, limit_s: float = AGREE_LIMIT_S) -> None:
    """Wait until every shard has this version of the namespaces; warns and returns when one does not take it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + limit_s
    agreed: set[int] = set()
    while waiting := await _shards_in_use() - agreed:
        for shard in sorted(waiting):
            try:
                found = (await call(shard, "rules", b"", POKE_DEADLINE_S)).decode()
            except Exception as reason:
                found = repr(reason)
            if found == version:
                agreed.add(shard)
            elif loop.time() >= until:
                # On several nodes the file must be the same on each.
                logger.warning("broker shard has other namespaces", shard=shard, has=found, wanted=version)
                agreed.add(shard)
        if waiting - agreed:
            await asyncio.sleep(AGREE_PAUSE_S)


async def _shards_in_use() -> set[int]:
    """Shards that own something; those of the setting when nobody says more."""
    places = Places(get_settings().broker_shards)
    try:
        places.read(await resizing.owners_of(call))
    except Exception as reason:
        logger.warning("owners of buckets are not known", reason=repr(reason))
    return places.in_use


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
