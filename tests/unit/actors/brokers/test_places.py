"""Where buckets are: dealt out, unless somebody said otherwise."""

from actors.brokers.places import Places
from cluster.names import BUCKETS


def test_buckets_are_where_they_were_dealt_until_they_are_placed():
    places = Places(2)
    assert (places.shard_of(0), places.shard_of(BUCKETS - 1), places.in_use) == (0, 1, {0, 1})
    places.put(range(BUCKETS // 2, BUCKETS), 0)
    assert (places.shard_of(BUCKETS - 1), places.in_use) == (0, {0})


def test_one_shard_has_everything_until_something_is_placed():
    places = Places(1)
    assert places.is_one
    places.put([5], 3)
    assert not places.is_one
    assert places.in_use == {0, 3}
    assert not Places(2).is_one


def test_what_the_rows_place_elsewhere_is_named_by_where_it_is_thought_to_be():
    places = Places(2)
    places.put([5], 3)
    rows = {0: 0, 4: 1, 5: 1, 6: 1, BUCKETS - 1: 1}
    assert places.differing(rows) == {(0, 1): {4, 6}, (3, 1): {5}}
    places.read(rows)
    assert places.differing(rows) == {}
