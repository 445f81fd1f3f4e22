"""How a process reaches the cache shards. They are hosted: `actors.hosts` decides where."""

from typing import Final

from actors.caches.client import Cache
from actors.hosts import handle as hosts
from cluster.settings import get_settings

KIND: Final = "caches"


async def call(shard: int, method: str, payload: bytes, timeout_s: float) -> bytes:
    """Call a cache shard. Raises on any failure, at our own deadline at the latest."""
    return await hosts.call(KIND, shard, method, payload, timeout_s)


def connect(boot_id: str) -> Cache:
    """This process's cache; `start()` it."""
    return Cache(boot_id, shards=get_settings().cache_shards, call=call)
