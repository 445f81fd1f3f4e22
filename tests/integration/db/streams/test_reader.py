"""Reading streams beyond memory, and pruning them."""

import pytest

from cluster.services.ports import free_port
from db.streams.errors import Ambiguous
from db.streams.reader import StreamReader


@pytest.fixture
async def reader(database_url):
    opened = StreamReader(database_url, application_name="reader-under-test")
    yield opened
    await opened.close()


async def fill(connection, channel, offsets, *, life="1 hour"):
    await connection.execute(
        """
        INSERT INTO app.stream_publications (channel, "offset", publication_id, data, time_ms, expires_at)
        SELECT $1, n, 'p' || n, convert_to(n::text, 'UTF8'), n, now() + $3::text::interval
        FROM unnest($2::bigint[]) AS n
        """,
        channel,
        list(offsets),
        life,
    )


async def head(connection, channel, life):
    await connection.execute(
        "INSERT INTO app.stream_heads (channel, epoch, expires_at) VALUES ($1, 'e', now() + $2::text::interval)",
        channel,
        life,
    )


async def test_pages_run_both_ways_and_stay_in_the_channel(reader, plain):
    await fill(plain, "ledger:a", range(1, 11))
    await fill(plain, "ledger:b", range(1, 11))
    assert [row.offset for row in await reader.after("ledger:a", 3, 4)] == [4, 5, 6, 7]
    assert [row.offset for row in await reader.before("ledger:a", 4, 10)] == [3, 2, 1]
    [row] = await reader.after("ledger:a", 9, 100)
    assert (row.data, row.attributes, row.time_ms) == (b"10", None, 10)


async def test_expired_rows_are_not_read_even_before_they_are_pruned(reader, plain):
    await fill(plain, "ledger:a", range(1, 4), life="-1 second")
    await fill(plain, "ledger:a", range(4, 6))
    assert [row.offset for row in await reader.after("ledger:a", 0, 10)] == [4, 5]
    assert await reader.prune(2) == 2
    assert await reader.prune(2) == 1
    assert await reader.prune(2) == 0
    assert await plain.fetchval("SELECT count(*) FROM app.stream_publications") == 2


async def test_a_head_is_not_pruned_before_its_publications(reader, plain):
    await head(plain, "ledger:a", "-1 second")
    await head(plain, "ledger:b", "-1 second")
    await head(plain, "ledger:c", "1 hour")
    await fill(plain, "ledger:a", [1])
    assert await reader.prune(10) == 1
    left = await plain.fetch("SELECT channel FROM app.stream_heads ORDER BY 1")
    assert [row[0] for row in left] == ["ledger:a", "ledger:c"]


async def test_clearing_keeps_what_is_newer(reader, plain):
    await fill(plain, "ledger:a", range(1, 6))
    await reader.clear("ledger:a", 3)
    assert [row.offset for row in await reader.after("ledger:a", 0, 10)] == [4, 5]


async def test_living_hubs_are_named_as_shards_know_them(reader, plain):
    await plain.execute(
        "INSERT INTO app.session_hubs (boot, seen_at) VALUES ('one', now()), ('two.3', now()), "
        "('silent', now() - interval '16 seconds')"
    )
    try:
        assert sorted(await reader.living_hubs()) == ["one", "two"]
    finally:
        await plain.execute("DELETE FROM app.session_hubs")


async def test_a_connection_that_died_while_idle_is_replaced(reader, plain):
    await fill(plain, "ledger:a", [1])
    await reader.after("ledger:a", 0, 10)
    await plain.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'reader-under-test'"
    )
    assert len(await reader.after("ledger:a", 0, 10)) == 1


async def test_an_unreachable_server_says_so():
    reader = StreamReader(f"postgresql://nobody@127.0.0.1:{free_port()}/none", application_name="x")
    with pytest.raises(Ambiguous):
        await reader.after("ledger:a", 0, 10)
    await reader.close()
