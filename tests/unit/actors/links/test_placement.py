from actors.links.placement import bucket_of, buckets_of, shard_of
from cluster.names import BUCKETS


def test_a_key_always_has_the_same_bucket():
    # Fixed values: buckets are stored in Postgres, so a change of the hash would lose every stream.
    assert [bucket_of(key) for key in ("", "room:1", "orders:updates#42", "ключ")] == [
        int.from_bytes(d, "big") % BUCKETS for d in (b"\xe3\xb0", *map(_head, ("room:1", "orders:updates#42", "ключ")))
    ]


def _head(key: str) -> bytes:
    import hashlib

    return hashlib.sha256(key.encode()).digest()[:2]


def test_every_bucket_belongs_to_exactly_one_shard():
    for shards in (1, 2, 3, 7):
        dealt = [bucket for shard in range(shards) for bucket in buckets_of(shard, shards)]
        assert sorted(dealt) == list(range(BUCKETS))


def test_shard_of_agrees_with_the_buckets_dealt():
    for key in map(str, range(200)):
        assert bucket_of(key) in buckets_of(shard_of(key, 3), 3)


def test_keys_spread():
    counts = [0] * 4
    for key in map(str, range(4000)):
        counts[shard_of(key, 4)] += 1
    assert min(counts) > 850


def test_presence_as_a_map_lives_beside_its_channel():
    assert bucket_of("$clients:room:1") == bucket_of("$users:room:1") == bucket_of("room:1")
    assert bucket_of("$clients") != bucket_of("")
