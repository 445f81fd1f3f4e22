"""Keys of maps in the database: written with their commit or not at all."""

import pytest

from db.streams.errors import Fenced, StaleHead
from db.streams.maps import MapRow, columns
from db.streams.store import Commit, HeadChange, StreamStore

CHANNEL = "stock:a"
BUCKETS = [3]


@pytest.fixture
async def store(database_url):
    made = StreamStore(database_url, owner="one", application_name="test-maps")
    await made.connect()
    yield made
    await made.close()


def row(key: str, offset: int, data: bytes = b"1", *, removed: bool = False, **fields) -> MapRow:
    values = {"attributes": '{"key": "k"}', "score": 0, "version": 0, "version_epoch": "", "time_ms": 7, **fields}
    return MapRow(channel=CHANNEL, key=key, removed=removed, offset=offset, data=data, **values)


def commit(top: int, *rows: MapRow) -> Commit:
    made = Commit(buckets={3}, heads=[HeadChange(CHANNEL, "e", top, top + len(rows), 0, "", 60)])
    for n, one in enumerate(rows):
        made.channels.append(CHANNEL)
        made.offsets.append(top + n + 1)
        made.ids.append(f"p{top + n}")
        made.data.append(one.data)
        made.attributes.append(one.attributes)
        made.times_ms.append(one.time_ms)
        made.ttls_s.append(60)
    made.map_keys = list(rows)
    return made


async def opened(store):
    fence, _ = await store.take_shard(0, BUCKETS, again=False)
    await store.open(fence, BUCKETS, [CHANNEL], ["e"], [60])
    return fence


def test_columns():
    first, second = row("a", 1), row("b", 2)
    assert columns([first, second])[1:4] == [["a", "b"], [False, False], [1, 2]]
    assert columns([]) == []


async def test_keys_are_set_replaced_and_removed(store, plain):
    fence = await opened(store)
    await store.commit(fence, commit(0, row("a", 1, score=-4, version=2**40, version_epoch="v"), row("b", 2)))
    await store.commit(fence, commit(2, row("a", 3, b"2"), row("b", 4, removed=True)))
    (key,) = await store.map_keys([CHANNEL, "stock:other"])
    assert (key.key, key.offset, key.data, key.score, key.version) == ("a", 3, b"2", 0, 0)
    assert key.attributes == '{"key": "k"}'
    assert await plain.fetchval("SELECT count(*) FROM app.stream_publications") == 4


async def test_a_commit_that_fails_writes_no_key(store, database_url):
    fence = await opened(store)
    with pytest.raises(StaleHead):
        await store.commit(fence, commit(5, row("a", 6)))
    other = StreamStore(database_url, owner="two", application_name="test-maps")
    await other.connect()
    await other.take_shard(0, BUCKETS, again=False)
    with pytest.raises(Fenced):
        await store.commit(fence, commit(0, row("a", 1)))
    with pytest.raises(Fenced):
        await store.clear_map(fence, 3, CHANNEL, "f")
    assert await other.map_keys([CHANNEL]) == []
    await other.close()


async def test_clearing_leaves_a_head_with_another_epoch(store, plain):
    fence = await opened(store)
    await store.commit(fence, commit(0, row("a", 1)))
    await store.clear_map(fence, 3, CHANNEL, "f")
    assert await store.map_keys([CHANNEL]) == []
    assert await plain.fetchval("SELECT count(*) FROM app.stream_publications") == 0
    (head,) = await store.open(fence, BUCKETS, [CHANNEL], ["x"], [60])
    assert (head.epoch, head.top) == ("f", 0)
