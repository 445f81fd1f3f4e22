"""What the multi-level cache promises.

Levels: L1 in this process, the cache shard (one load per key in the whole cluster), Valkey when there is one. Values
are JSON-compatible; keys are short strings such as `products:list:<digest>`; tags name what a value was made from.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol


class CacheClient(Protocol):
    """One process's access to the cache."""

    async def get_or_load(
        self, key: str, load: Callable[[], Awaitable[Any]], *, ttl_s: float, tags: Sequence[str] = ()
    ) -> Any:
        """The cached value, or what `load` returns: at most one `load` runs per key in the cluster (single flight).

        Falls back to calling `load` directly when shard and Valkey are unreachable. Never raises for cache reasons.
        """

    async def invalidate(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> None:
        """Forget by key or tag, everywhere; returns when the cache shard acknowledged."""
