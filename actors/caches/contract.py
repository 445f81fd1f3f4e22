"""What the multi-level cache promises.

Levels: L1 in this process, the cache shard (one load per key in the whole cluster), Valkey when there is one. Values
are JSON-compatible and must not be changed by those who get them; keys are short strings such as
`products:list:<digest>`; tags name what a value was made from.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

Tags = Sequence[str] | Callable[[Any], Sequence[str]]
"""What a value was made from: known before it is loaded, or read from the value that `load` returned."""


class CacheClient(Protocol):
    """One process's access to the cache."""

    async def get_or_load(
        self,
        key: str,
        load: Callable[[], Awaitable[Any]],
        *,
        ttl_s: float,
        tags: Tags = (),
        at_least: str = "",
    ) -> Any:
        """The cached value, or what `load` returns: at most one `load` runs per key in the cluster (single flight).

        `at_least` is what `invalidate` returned, in whatever process: the value is then not older than that. Falls back
        to calling `load` directly when the shard is unreachable. Raises what `load` raises, nothing of the cache's own.
        """

    async def invalidate(self, *, keys: Sequence[str] = (), tags: Sequence[str] = ()) -> str:
        """Forget by key or tag, everywhere; returns when the cache shards acknowledged.

        The answer names this point in time for `at_least`; empty when no shard could be reached, in which case the
        invalidation rows take effect as soon as one can.
        """
