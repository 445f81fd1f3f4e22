"""Where buckets are, as one process knows it: dealt out by their number, unless a shard or the rows said otherwise."""

from collections.abc import Iterable, Mapping

from cluster.names import BUCKETS


class Places:
    """Bucket → shard. `shards`: over how many the buckets are dealt out."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._placed: dict[int, int] = {}
        self._in_use: set[int] | None = None

    @property
    def is_one(self) -> bool:
        """Whether shard 0 has everything, as far as is known."""
        return self._shards == 1 and not self._placed

    @property
    def in_use(self) -> set[int]:
        """Shards that have something."""
        if self._in_use is None:
            self._in_use = {self.shard_of(bucket) for bucket in range(BUCKETS)}
        return self._in_use

    def shard_of(self, bucket: int) -> int:
        """The shard that has a bucket."""
        placed = self._placed.get(bucket)
        return bucket * self._shards // BUCKETS if placed is None else placed

    def put(self, buckets: Iterable[int], shard: int) -> None:
        """These buckets are there."""
        self._placed.update(dict.fromkeys(buckets, shard))
        self._in_use = None

    def read(self, owners: Mapping[int, int]) -> None:
        """All buckets are where the rows say."""
        for (_, shard), buckets in self.differing(owners).items():
            self.put(buckets, shard)

    def differing(self, owners: Mapping[int, int]) -> dict[tuple[int, int], set[int]]:
        """(from, to) → buckets that the rows place elsewhere."""
        found: dict[tuple[int, int], set[int]] = {}
        for bucket, shard in owners.items():
            here = self.shard_of(bucket)
            if here != shard:
                found.setdefault((here, shard), set()).add(bucket)
        return found
