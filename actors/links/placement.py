"""Which shard a key belongs to: keys hash to fixed buckets, buckets are dealt out to shards (DESIGN §5, 5)."""

import hashlib
from functools import lru_cache

from actors.protocol import presence_maps
from cluster.names import BUCKETS


@lru_cache(maxsize=65_536)
def bucket_of(key: str) -> int:
    """The bucket of a channel, user or cache key. Migration 0002 has the same function in SQL (`app.bucket_of`)."""
    shown = presence_maps.parse(key)
    if shown is not None:
        # Presence as a map lives beside the channel whose presence it is. Nothing of it is ever in the database.
        key = shown.channel
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return (digest[0] << 8 | digest[1]) % BUCKETS


def shard_of(key: str, shards: int) -> int:
    """The shard that owns a key when buckets are dealt out evenly over `shards`."""
    return bucket_of(key) * shards // BUCKETS


def buckets_of(shard: int, shards: int) -> list[int]:
    """The buckets dealt to one shard."""
    return [bucket for bucket in range(BUCKETS) if bucket * shards // BUCKETS == shard]
