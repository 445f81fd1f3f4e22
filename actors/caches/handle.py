"""How a process reaches the cache shards. They are hosted: `actors.hosts` decides where."""

from typing import Final

from actors.caches.client import Cache
from actors.hosts import handle as hosts
from actors.links.link import Call
from cluster.settings import get_settings

KIND: Final = "caches"


def connect(boot_id: str) -> Cache:
    """This process's cache; `start()` it."""
    return Cache(boot_id, get_settings().cache_shards, _call)


def _call(shard: int) -> Call:
    async def call(method: str, payload: bytes, timeout_s: float) -> bytes:
        return await hosts.call(KIND, shard, method, payload, timeout_s)

    return call
