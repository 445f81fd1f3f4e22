"""Publications inside transactions: commit order per channel, whatever the order of inserts."""

import asyncio
import json

import asyncpg
import pytest

from cluster.services.binaries import find_postgres
from db.effects import PublicationsQueued, UserMessaged
from db.errors import InvalidInput
from db.outbox.service import map_publish, publish, send_to_user
from tests.fixtures.waiting import eventually


class Client:
    """A plain connection that publishes with SQL."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def begin(self):
        await self.connection.execute("BEGIN")

    async def publish(self, channel, text):
        await self.connection.execute("SELECT app.publish($1, to_jsonb($2::text))", channel, text)

    async def commit(self):
        await self.connection.execute("COMMIT")


@pytest.fixture
async def clients(database_url):
    opened = [Client(await asyncpg.connect(database_url)) for _ in range(4)]
    yield opened
    for client in opened:
        await client.connection.close()


async def in_order(client, channel):
    found = await client.connection.fetch(
        "SELECT data FROM app.outbox WHERE channel = $1 AND position IS NOT NULL ORDER BY position", channel
    )
    return [row[0].strip('"') for row in found]


async def test_the_order_is_the_order_of_commits(clients):
    first, second, third, watch = clients
    for client in (first, second, third):
        await client.begin()
    await first.publish("c:a", "inserted first")
    await second.publish("c:a", "inserted second")
    await third.publish("c:a", "inserted third")
    for client in (third, first, second):
        await client.commit()
    assert await in_order(watch, "c:a") == ["inserted third", "inserted first", "inserted second"]


async def test_a_transaction_keeps_its_own_order(clients):
    one, watch, *_ = clients
    await one.begin()
    for n in range(5):
        await one.publish("c:a", f"a{n}")
        await one.publish("c:b", f"b{n}")
    await one.commit()
    assert await in_order(watch, "c:a") == [f"a{n}" for n in range(5)]
    assert await in_order(watch, "c:b") == [f"b{n}" for n in range(5)]


async def test_a_long_transaction_blocks_nobody(clients):
    long, quick, watch, _ = clients
    await long.begin()
    await long.publish("c:a", "long")
    async with asyncio.timeout(5):
        for n in range(3):
            await quick.publish("c:a", f"quick {n}")
    assert await in_order(watch, "c:a") == ["quick 0", "quick 1", "quick 2"]
    await long.commit()
    assert (await in_order(watch, "c:a"))[-1] == "long"


async def test_crossing_channels_do_not_deadlock(database_url):
    channels = [f"c:{n}" for n in range(6)]

    async def work(number):
        connection = await asyncpg.connect(database_url)
        client = Client(connection)
        try:
            for round_number in range(20):
                order = channels if (number + round_number) % 2 else channels[::-1]
                await client.begin()
                for channel in order:
                    await client.publish(channel, f"{number}.{round_number}")
                await client.commit()
        finally:
            await connection.close()

    await asyncio.gather(*(work(number) for number in range(6)))
    watch = Client(await asyncpg.connect(database_url))
    orders = [await in_order(watch, channel) for channel in channels]
    await watch.connection.close()
    assert all(len(order) == 120 for order in orders)
    assert all(order == orders[0] for order in orders), "commit order is one order for all channels they share"


async def test_a_committing_transaction_holds_its_channels_until_it_is_visible(clients):
    """A later position may not become visible first: else the relay would pass it by."""
    one, two, watch, _ = clients
    await one.begin()
    await one.publish("c:a", "one")
    # What a slow commit looks like: numbered, locked, not yet visible.
    await one.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    await two.begin()
    await two.publish("c:a", "two")
    committing = asyncio.create_task(two.commit())
    await eventually(
        lambda: watch.connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        ),
        every_s=0.01,
    )
    assert await in_order(watch, "c:a") == []
    await one.commit()
    await committing
    assert await in_order(watch, "c:a") == ["one", "two"]


async def test_what_is_rolled_back_is_never_numbered(clients):
    one, watch, *_ = clients
    await one.begin()
    await one.publish("c:a", "kept")
    await one.connection.execute("SAVEPOINT s")
    await one.publish("c:a", "undone")
    await one.connection.execute("ROLLBACK TO s")
    await one.publish("c:a", "kept too")
    await one.commit()
    await one.begin()
    await one.publish("c:a", "undone as well")
    await one.connection.execute("ROLLBACK")
    assert await in_order(watch, "c:a") == ["kept", "kept too"]
    assert await watch.connection.fetchval("SELECT count(*) FROM app.outbox") == 2


async def test_a_transaction_with_thousands_of_publications_ends(clients):
    one, watch, *_ = clients
    async with asyncio.timeout(20):
        await one.connection.execute(
            "SELECT app.publish('c:' || n % 10, to_jsonb(n)) FROM generate_series(1, 5000) AS n"
        )
    assert await watch.connection.fetchval("SELECT count(*) FROM app.outbox WHERE position IS NULL") == 0
    assert await in_order(watch, "c:3") == [str(n) for n in range(3, 5001, 10)]


async def test_psql_publishes_inside_a_transaction(clients, database_url):
    """No application needed: any client that speaks SQL publishes, and its rollback takes the publication back."""
    binaries = find_postgres()
    assert binaries is not None

    async def psql(script):
        process = await asyncio.create_subprocess_exec(
            str(binaries.bindir / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database_url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await process.communicate(script.encode())
        return process.returncode, out.decode().split(), error.decode()

    code, out, error = await psql(
        """BEGIN;
        SELECT app.publish('room:sql', '{"text": "kept"}') IS NOT NULL;
        SELECT app.publish(channel => 'room:sql', data => '2', tags => '{"a": "b"}', idempotency_key => 'k') > 0;
        COMMIT;
        BEGIN; SELECT app.publish('room:sql', '"undone"') IS NULL; ROLLBACK;"""
    )
    assert (code, out) == (0, ["t", "t", "f"]), error
    rows = await clients[0].connection.fetch(
        "SELECT data, attributes, idempotency_key FROM app.outbox WHERE position IS NOT NULL ORDER BY position"
    )
    assert [tuple(row) for row in rows] == [
        ('{"text": "kept"}', None, ""),
        ("2", '{"tags": {"a": "b"}}', "k"),
    ]
    code, _, error = await psql("SELECT app.publish('', '1');")
    assert code != 0
    assert "ck_outbox_channel" in error


async def test_sql_excludes_and_versions(clients):
    connection = clients[0].connection
    await connection.execute("SELECT app.publish('room:a', '1', exclude_clients => '{c1}', exclude_users => '{u1,u2}')")
    await connection.execute("SELECT app.publish('room:a', '1', version => 3, version_epoch => 'e')")
    await connection.execute("SELECT app.publish('room:a', '1', version_epoch => 'of no version')")
    await connection.execute("SELECT app.map_publish('board:a', 'k', '1')")
    options = "key_mode => 'if_new', version => 2, key_ttl => 9, tags => '{\"t\": \"v\"}'"
    await connection.execute(f"SELECT app.map_publish('board:a', 'k', '1', {options})")
    rows = await connection.fetch("SELECT attributes FROM app.outbox ORDER BY id")
    assert [None if row[0] is None else json.loads(row[0]) for row in rows] == [
        {"exclude_clients": ["c1"], "exclude_users": ["u1", "u2"]},
        {"version": 3, "version_epoch": "e"},
        None,
        {"key": "k", "score": 0},
        {"key": "k", "score": 0, "mode": "if_new", "ttl": 9, "version": 2, "tags": {"t": "v"}},
    ]
    for mistake in (
        "app.publish('room:a', '1', version => -1)",
        "app.map_publish('board:a', 'k', '1', key_mode => 'maybe')",
        "app.map_publish('board:a', 'k', '1', key_ttl => -1)",
    ):
        with pytest.raises(asyncpg.InvalidParameterValueError):
            await connection.execute(f"SELECT {mistake}")


@pytest.mark.parametrize("wrong", [{"version": -1}, {"version": 2**63}])
async def test_versions_that_are_none(database, wrong):
    async with database.transaction() as session:
        with pytest.raises(InvalidInput):
            await publish(session, "room:a", 1, **wrong)
        with pytest.raises(InvalidInput):
            await map_publish(session, "board:a", "k", 1, **wrong)
        with pytest.raises(InvalidInput):
            await map_publish(session, "board:a", "k", 1, key_ttl_s=-1)


async def test_services_publish_and_record_the_effect(database):
    seen = []

    async def handler(effects):
        seen.extend(effects)

    database.on_commit(PublicationsQueued, handler)
    async with database.transaction() as session:
        number = await publish(session, "orders:updates#1", {"n": 1, "text": "\\u0000 is fine"}, tags={"a": "b"})
    assert number > 0
    assert seen == [PublicationsQueued(("orders:updates#1",))]


@pytest.mark.parametrize(
    ("channel", "data"),
    [("", 1), ("c" * 256, 1), ("я" * 128, 1), ("c\0", 1), ("c:a", {"text": "a\0b"}), ("c:a", ["\0"]), ("c:a", "\\\0")],
)
async def test_what_postgres_cannot_store_is_refused_before_it_breaks_the_transaction(database, channel, data):
    async with database.transaction() as session:
        with pytest.raises(InvalidInput):
            await publish(session, channel, data)
        await publish(session, "c:a", "still usable")


async def test_messages_to_users_follow_the_commit(database):
    seen = []

    async def handler(effects):
        seen.extend(effects)

    database.on_commit(UserMessaged, handler)

    async def fail():
        async with database.transaction() as session:
            send_to_user(session, "u1", "never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction() as session:
        send_to_user(session, "u1", {"n": 1})
        assert seen == []
    assert seen == [UserMessaged("u1", b'{"n":1}')]
