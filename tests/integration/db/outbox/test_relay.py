"""The relay's statements: in order, fenced, and quick while somebody holds a snapshot."""

import asyncpg
import pytest

from actors.links.placement import bucket_of
from cluster.names import BUCKETS
from db.outbox.relay import Outbox, Retention
from db.streams.errors import Fenced
from db.streams.store import StreamStore

ALL = list(range(BUCKETS))


@pytest.fixture
async def store(database_url):
    opened = StreamStore(database_url, owner="relay", application_name="relay-under-test")
    await opened.connect()
    yield opened
    await opened.close()


@pytest.fixture
async def fence(store):
    taken, _ = await store.take_shard(0, ALL, again=False)
    return taken


@pytest.fixture
def outbox(store):
    return Outbox(store, ALL, [Retention("ledger", 3600, 7200)])


async def publish(connection, channel, *texts, key=""):
    for text in texts:
        await connection.execute('SELECT app.publish($1, to_jsonb($2::text), \'{"t": "v"}\', $3)', channel, text, key)


async def test_rows_become_publications_in_order(outbox, fence, plain):
    await publish(plain, "ledger:a", "1", "2")
    await publish(plain, "ledger:b", "3")
    await publish(plain, "ledger:a", "4")
    moved = await outbox.relay(fence)
    assert [(row.channel, row.offset, row.data) for row in moved] == [
        ("ledger:a", 1, '"1"'),
        ("ledger:a", 2, '"2"'),
        ("ledger:b", 1, '"3"'),
        ("ledger:a", 3, '"4"'),
    ]
    assert moved[0].attributes == '{"tags": {"t": "v"}}'
    assert await outbox.relay(fence) == []
    stored = await plain.fetch(
        """SELECT "offset", data, publication_id FROM app.stream_publications WHERE channel = 'ledger:a' ORDER BY 1"""
    )
    assert [(row[0], row[1], row[2]) for row in stored] == [
        (row.offset, row.data.encode(), row.publication_id) for row in moved if row.channel == "ledger:a"
    ]
    assert await plain.fetchval("SELECT top FROM app.stream_heads WHERE channel = 'ledger:a'") == 3
    assert await plain.fetchval("SELECT count(*) FROM app.outbox") == 0


async def versions(connection, channel, *given):
    for version, epoch in given:
        await connection.execute(
            "SELECT app.publish($1, to_jsonb($2::text), version => $3, version_epoch => $4)",
            channel,
            f"{epoch}{version}",
            version,
            epoch,
        )


async def test_a_version_that_is_not_newer_is_dropped_in_order(outbox, fence, plain):
    given = [(2, "a"), (0, "-"), (2, "a"), (5, "a"), (4, "a"), (1, "b"), (1, "b"), (3, "a"), (2, "b"), (2, "b")]
    await versions(plain, "ledger:a", *given)
    await versions(plain, "ledger:b", (7, ""))
    # As the direct path decides one by one: the version that counts is that of the last publication that had one.
    last, expected = (0, ""), []
    for version, epoch in given:
        if not version or epoch != last[1] or version > last[0]:
            expected.append(f'"{epoch}{version}"')
            last = (version, epoch) if version else last
    moved = await outbox.relay(fence)
    assert [row.data for row in moved if row.channel == "ledger:a"] == expected
    assert [row.offset for row in moved if row.channel == "ledger:a"] == list(range(1, len(expected) + 1))
    heads = "SELECT version, version_epoch FROM app.stream_heads WHERE channel = $1"
    assert tuple(await plain.fetchrow(heads, "ledger:a")) == last == (2, "b")
    await versions(plain, "ledger:a", (1, "b"), (3, "b"))
    await versions(plain, "ledger:b", (7, ""), (0, ""), (6, ""))
    assert [row.data for row in await outbox.relay(fence)] == ['"b3"', '"0"']
    assert tuple(await plain.fetchrow(heads, "ledger:b")) == (7, "")
    await versions(plain, "ledger:b", (5, ""))
    assert await outbox.relay(fence) == []
    assert await plain.fetchval("SELECT count(*) FROM app.outbox") == 0


async def test_it_is_seen_whether_anything_waits(outbox, fence, plain):
    assert not await outbox.has_rows()
    await publish(plain, "room:a", "1")
    assert await outbox.has_rows()
    await outbox.forget(fence, await outbox.waiting())
    assert not await outbox.has_rows()


async def test_a_backlog_drains_in_steps_without_reordering(outbox, fence, plain):
    await plain.execute("SELECT app.publish('ledger:' || n % 3, to_jsonb(n)) FROM generate_series(1, 300) AS n")
    seen: dict[str, list[int]] = {}
    while moved := await outbox.relay(fence, limit=7):
        for row in moved:
            seen.setdefault(row.channel, []).append(int(row.data))
            assert row.offset == len(seen[row.channel])
    assert seen == {f"ledger:{k}": [n for n in range(1, 301) if n % 3 == k] for k in range(3)}


async def test_a_key_publishes_once_within_and_across_batches(outbox, fence, plain):
    await publish(plain, "ledger:a", "1", "2", key="k")
    await publish(plain, "ledger:b", "3", key="k")
    assert [row.data for row in await outbox.relay(fence)] == ['"1"', '"3"']
    await publish(plain, "ledger:a", "4", key="k")
    await publish(plain, "ledger:a", "5")
    assert [(row.data, row.offset) for row in await outbox.relay(fence)] == [('"5"', 2)]
    await plain.execute("UPDATE app.publication_keys SET expires_at = now() - interval '1 s'")
    await publish(plain, "ledger:a", "6", key="k")
    assert [(row.data, row.offset) for row in await outbox.relay(fence)] == [('"6"', 3)]


async def test_who_lost_the_fence_takes_nothing(outbox, store, fence, plain):
    await publish(plain, "ledger:a", "1")
    await publish(plain, "room:a", "2")
    waiting = await outbox.waiting()
    await store.take_shard(0, ALL, again=True)
    with pytest.raises(Fenced):
        await outbox.relay(fence)
    with pytest.raises(Fenced):
        await outbox.forget(fence, waiting)
    assert await plain.fetchval("SELECT count(*) FROM app.outbox") == 2


async def test_only_the_owners_buckets_and_namespaces(store, fence, plain):
    await publish(plain, "ledger:a", "1")
    await publish(plain, "ledger:b", "2")
    await publish(plain, "room:a", "3")
    mine = Outbox(store, [bucket_of("ledger:a")], [Retention("ledger", 60, 60)])
    assert [row.data for row in await mine.relay(fence)] == ['"1"']
    assert await mine.waiting() == []


async def test_memory_rows_stay_until_they_are_forgotten(outbox, fence, plain):
    await publish(plain, "room:a", "1", "2", key="")
    first = await outbox.waiting()
    assert [(row.channel, row.data) for row in first] == [("room:a", '"1"'), ("room:a", '"2"')]
    assert await outbox.waiting() == first
    await outbox.forget(fence, first)
    assert await outbox.waiting() == []


async def last_position(connection):
    """Sequences survive the cleaning between tests."""
    return await connection.fetchval("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM app.outbox_positions")


async def test_the_floor_rises_past_what_is_over_and_not_past_what_may_come(outbox, fence, plain, database_url):
    base = await last_position(plain)
    await publish(plain, "ledger:a", "1")
    slow = await asyncpg.connect(database_url)
    await slow.execute("BEGIN")
    await slow.execute("SELECT app.publish('ledger:z', '1')")
    await slow.execute("SET CONSTRAINTS ALL IMMEDIATE")  # numbered base + 2, not visible yet
    await publish(plain, "ledger:a", "3")
    await outbox.relay(fence)
    for _ in range(3):
        await outbox.raise_floor()
    assert outbox.floor == 0, "the second position may still appear"
    await slow.execute("COMMIT")
    await slow.close()
    await outbox.raise_floor()
    assert outbox.floor == base + 1, "it has appeared, and waits above the floor"
    assert [row.channel for row in await outbox.relay(fence)] == ["ledger:z"]
    for _ in range(3):
        await outbox.raise_floor()
    assert outbox.floor == base + 3
    await publish(plain, "ledger:a", "4")
    assert [row.data for row in await outbox.relay(fence)] == ['"4"']


async def test_a_held_snapshot_does_not_hold_the_floor(outbox, fence, plain, database_url):
    base = await last_position(plain)
    exporter = await asyncpg.connect(database_url)
    await exporter.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    await exporter.fetchval("SELECT count(*) FROM app.outbox")
    await publish(plain, "ledger:a", *map(str, range(50)))
    await outbox.relay(fence)
    for _ in range(3):
        await outbox.raise_floor()
    assert outbox.floor == base + 50
    await exporter.close()


async def test_a_publication_takes_the_place_of_an_earlier_one(outbox, fence, plain):
    await publish(plain, "ledger:a", "kept", "secret")
    await publish(plain, "ledger:b", "another")
    first, secret, another = [int(row.publication_id.removeprefix("outbox:")) for row in await outbox.relay(fence)]
    for channel, replaced in (("ledger:a", secret), ("ledger:a", another), ("ledger:b", first)):
        await plain.execute("SELECT app.replace_publication($1, $2, to_jsonb('gone'::text))", channel, replaced)
    moved = await outbox.relay(fence)
    assert [(row.channel, row.offset, row.replaced) for row in moved] == [
        ("ledger:a", 3, 2),
        ("ledger:a", 4, None),
        ("ledger:b", 2, None),
    ], "never one of another channel"
    stored = await plain.fetch(
        '''SELECT channel, convert_from(data, 'UTF8') FROM app.stream_publications ORDER BY channel, "offset"'''
    )
    assert [tuple(row) for row in stored] == [
        ("ledger:a", '"kept"'),
        ("ledger:a", '"gone"'),
        ("ledger:a", '"gone"'),
        ("ledger:a", '"gone"'),
        ("ledger:b", '"another"'),
        ("ledger:b", '"gone"'),
    ]
