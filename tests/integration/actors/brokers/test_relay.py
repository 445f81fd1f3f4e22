"""From a transaction to a subscriber: in commit order, once, on durable and on memory channels."""

import asyncio

import asyncpg
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text

from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from cluster import tracing
from cluster.settings import Settings
from db.outbox.service import publish, replace_publication
from tests.fixtures.brokers import kill_backends
from tests.fixtures.waiting import eventually

CHANNEL = "ledger:a"


async def sql_publish(connection, channel, text, key=""):
    await connection.execute("SELECT app.publish($1, to_jsonb($2::text), NULL, $3)", channel, text, key)


def heard(process):
    return [entry[2].strip('"') for entry in process.sink.of("pub")]


@pytest.mark.parametrize("channel", ["ledger:a", "room:a", "plain"])
async def test_what_a_transaction_publishes_arrives_when_it_commits(world, database, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    async with database.transaction() as session:
        await publish(session, channel, {"n": 1}, tags={"kind": "test"})
        await publish(session, channel, {"n": 2})
        assert hub.sink.publications == []
    world.network.shard.committer.poke()
    await eventually(lambda: len(hub.sink.publications) == 2)
    assert [p.data for p in hub.sink.publications] == [b'{"n": 1}', b'{"n": 2}']
    assert hub.sink.publications[0].tags == {"kind": "test"}
    assert hub.sink.publications[0].info is None


@pytest.mark.parametrize("channel", ["ledger:a", "room:a"])
async def test_a_transaction_excludes_and_versions(world, database, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    async with database.transaction() as session:
        await publish(session, channel, 1, exclude_users=["u1"], exclude_clients=["c1", "c2"])
        await publish(session, channel, 2, version=5, version_epoch="e")
        await publish(session, channel, 3, version=5, version_epoch="e")
    world.network.shard.committer.poke()
    await eventually(lambda: heard(hub) == ["1", "2"])
    first = hub.sink.publications[0]
    assert (first.exclude_users, first.exclude_clients) == (("u1",), ("c1", "c2"))
    # What the transaction published counts for who publishes directly, and the other way round.
    assert (await hub.publish(channel, 4, version=4, version_epoch="e")).offset == 2
    assert (await hub.publish(channel, 5, version=9, version_epoch="e")).offset == 3
    async with database.transaction() as session:
        await publish(session, channel, 6, version=8, version_epoch="e")
        await publish(session, channel, 7, version=10, version_epoch="e")
    world.network.shard.committer.poke()
    await eventually(lambda: heard(hub) == ["1", "2", "5", "7"])


@pytest.mark.parametrize("channel", ["ledger:a", "room:a"])
async def test_a_publication_is_a_span_in_the_trace_of_its_transaction(world, database, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    exporter = InMemorySpanExporter()
    tracing.configure(Settings(_env_file=None, otel_enabled=True), process="host", exporter=exporter)
    try:
        with tracing.span("request"):
            trace = tracing.current()["trace_id"]
            async with database.transaction() as session:
                await publish(session, channel, "traced", tags={"kind": "test"})
        world.network.shard.committer.poke()
        await eventually(lambda: heard(hub) == ["traced"])
    finally:
        tracing.shutdown()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert f"{spans['publication'].context.trace_id:032x}" == trace
    assert spans["publication"].parent.span_id == spans["db.transaction"].context.span_id
    assert hub.sink.publications[0].tags == {"kind": "test"}, "what else a publication has is not touched"
    async with database.transaction() as session:
        await publish(session, channel, "plain")
        # The first one's row may still be there: the shard deletes it after it was heard.
        plain = text("SELECT attributes FROM app.outbox WHERE data = '\"plain\"'")
        [attributes] = (await session.execute(plain)).scalars()
        assert attributes is None, "nobody traces: nothing is stored"


async def test_a_rolled_back_transaction_publishes_nothing(world, database):
    hub = await world.process()
    await hub.subscribe(CHANNEL, presence=False)

    async def fail():
        async with database.transaction() as session:
            await publish(session, CHANNEL, "never")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with database.transaction() as session:
        await publish(session, CHANNEL, "after")
    await eventually(lambda: heard(hub) == ["after"])


@pytest.mark.parametrize("channel", ["ledger:a", "room:a"])
async def test_commit_order_is_delivery_order(world, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    writers = [await asyncpg.connect(world.url) for _ in range(3)]
    for number, writer in enumerate(writers):
        await writer.execute("BEGIN")
        await sql_publish(writer, channel, f"inserted {number}")
    for writer in (writers[2], writers[0], writers[1]):
        await writer.execute("COMMIT")
    await eventually(lambda: heard(hub) == ["inserted 2", "inserted 0", "inserted 1"])
    for writer in writers:
        await writer.close()


async def test_a_committed_row_goes_before_a_direct_publication_made_after_it(world, plain):
    """Each turn takes committed rows before the direct publications that queued meanwhile."""
    hub = await world.process()
    await hub.subscribe(CHANNEL, presence=False)
    expected = []
    for n in range(20):
        await sql_publish(plain, CHANNEL, f"row {n}")
        await hub.publish(CHANNEL, f"direct {n}")
        expected += [f"row {n}", f"direct {n}"]
    await eventually(lambda: len(heard(hub)) == 40)
    assert heard(hub) == expected
    assert [entry[3] for entry in hub.sink.of("pub")] == list(range(1, 41))


async def test_rows_wait_for_a_shard_that_is_away_and_come_in_order(world, plain):
    hub = await world.process()
    first = await hub.publish(CHANNEL, "before")
    await world.kill()
    for n in range(50):
        await sql_publish(plain, CHANNEL, str(n))
    await world.begin()
    await eventually(lambda: plain.fetchval("SELECT count(*) = 0 FROM app.outbox"), retry_on=(asyncpg.PostgresError,))
    reply = await eventually(
        lambda: hub.subscribe(CHANNEL, since=StreamPosition(first.epoch, 1)), retry_on=(BrokerError,)
    )
    assert reply.recovered
    assert [p.data.decode().strip('"') for p in reply.publications] == [str(n) for n in range(50)]


@pytest.mark.parametrize("channel", ["ledger:a", "big:a"])
async def test_a_backlog_of_crossing_transactions_drains_in_the_order_of_their_commits(world, plain, channel):
    """Writers begin, insert and commit in different orders while the shard is away, and go on while it drains."""
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    await world.kill()
    writers = [await asyncpg.connect(world.url) for _ in range(4)]
    committed = []

    async def round_of(number):
        for index, writer in enumerate(writers):
            await writer.execute("BEGIN")
            await sql_publish(writer, channel, f"{number}.{index}.a")
        for index in (2, 0, 3, 1):
            await sql_publish(writers[index], channel, f"{number}.{index}.b")
            await writers[index].execute("COMMIT")
            committed.extend((f"{number}.{index}.a", f"{number}.{index}.b"))

    for number in range(20):
        await round_of(number)
    assert await plain.fetchval("SELECT count(*) FROM app.outbox") == len(committed)
    await world.begin()
    for number in range(20, 30):
        await round_of(number)
    await eventually(lambda: plain.fetchval("SELECT count(*) = 0 FROM app.outbox"), retry_on=(asyncpg.PostgresError,))
    history = await eventually(lambda: hub.brokers.history(HistoryRequest(channel, limit=-1)), retry_on=(BrokerError,))
    assert [p.data.decode().strip('"') for p in history.publications] == committed
    assert [p.offset for p in history.publications] == list(range(1, len(committed) + 1))
    for writer in writers:
        await writer.close()


async def test_killing_the_connection_under_the_relay_loses_and_doubles_nothing(world, plain):
    hub = await world.process()
    await hub.subscribe(CHANNEL, presence=False)
    await hub.subscribe("big:a", presence=False)
    done = asyncio.Event()

    async def kill():
        seen = 0
        while not done.is_set():
            await eventually(lambda: done.is_set() or len(heard(hub)) > seen + 20, every_s=0.002, timeout_s=30)  # noqa: B023
            seen = len(heard(hub))
            await kill_backends(plain)

    killing = asyncio.create_task(kill())
    writer = await asyncpg.connect(world.url)
    for n in range(200):
        await sql_publish(writer, CHANNEL, f"d{n}")
        await sql_publish(writer, "big:a", f"m{n}")
    await eventually(lambda: len(heard(hub)) >= 400, timeout_s=60)
    done.set()
    await killing
    await writer.close()
    assert [text for text in heard(hub) if text[0] == "d"] == [f"d{n}" for n in range(200)]
    assert [text for text in heard(hub) if text[0] == "m"] == [f"m{n}" for n in range(200)]


async def test_a_channel_that_cannot_exist_does_not_stop_the_others(world, plain):
    hub = await world.process()
    await hub.subscribe("room:a", presence=False)
    await sql_publish(plain, "nowhere:a", "x")
    await sql_publish(plain, "default:a", "x")
    await sql_publish(plain, "bad\nname", "x")
    for view in ("$clients:room:a", "$users:elsewhere:b", *(f"$users:room:{n}" for n in range(5))):
        await sql_publish(plain, view, "x")
    await sql_publish(plain, "room:a", "good")
    await eventually(lambda: heard(hub) == ["good"])
    await eventually(lambda: plain.fetchval("SELECT count(*) = 0 FROM app.outbox"))


async def test_an_idempotency_key_counts_across_rows_and_direct_publications(world, plain):
    hub = await world.process()
    for channel in ("ledger:a", "room:a"):
        await hub.subscribe(channel, presence=False)
        await sql_publish(plain, channel, "row", key="k")
        await eventually(lambda: hub.sink.publications)
        direct = await hub.publish(channel, "direct", idempotency_key="k")
        assert direct.offset == 1
        await sql_publish(plain, channel, "row again", key="k")
        await sql_publish(plain, channel, "last")
        await eventually(lambda: "last" in heard(hub))
        assert heard(hub) == ["row", "last"]
        hub.sink.heard.clear()
        hub.sink.publications.clear()


@pytest.mark.parametrize("channel", ["ledger:a", "room:a"])
async def test_what_is_replaced_is_gone_from_memory_and_rows(world, database, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)

    async def contents():
        read = await hub.brokers.history(HistoryRequest(channel, limit=-1))
        return [(each.offset, each.data, each.tags.get("kind")) for each in read.publications]

    async with database.transaction() as session:
        await publish(session, channel, "first")
        secret = await publish(session, channel, "secret", tags={"kind": "words"})
        await publish(session, channel, "last")
    world.network.shard.committer.poke()
    await eventually(lambda: heard(hub) == ["first", "secret", "last"])
    async with database.transaction() as session:
        await replace_publication(session, channel, secret, "gone")
        await replace_publication(session, channel, 2**40, "of nothing")
    world.network.shard.committer.poke()
    await eventually(lambda: heard(hub)[3:] == ["gone", "of nothing"])
    left = [(1, b'"first"', None), (2, b'"gone"', "words"), (3, b'"last"', None), (4, b'"gone"', None)]
    left.append((5, b'"of nothing"', None))
    assert await contents() == left
    if channel == "ledger:a":
        await world.kill()
        await world.begin()
        await eventually(contents, retry_on=(BrokerError,))
        assert await contents() == left, "from the rows"


@pytest.mark.parametrize("channel", ["ledger:a", "room:a"])
async def test_what_is_replaced_by_the_transaction_that_made_it_was_said_once(world, database, channel):
    hub = await world.process()
    await hub.subscribe(channel, presence=False)
    async with database.transaction() as session:
        first = await publish(session, channel, "secret")
        await replace_publication(session, channel, first, "gone")
    world.network.shard.committer.poke()
    await eventually(lambda: heard(hub) == ["secret", "gone"])
    read = await hub.brokers.history(HistoryRequest(channel, limit=-1))
    assert [each.data for each in read.publications] == [b'"gone"', b'"gone"']
