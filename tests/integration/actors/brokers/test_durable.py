"""Durable channels over a real Postgres: acknowledged means committed, whatever dies in between."""

import asyncio
import random

import asyncpg
import pytest

from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.hosts.contract import ShardDeposed
from tests.fixtures.brokers import LosesAnswers, Network, Process, World, kill_backends
from tests.fixtures.waiting import eventually

CHANNEL = "ledger:a"


async def stored(connection, channel=CHANNEL):
    rows = await connection.fetch(
        'SELECT "offset", data FROM app.stream_publications WHERE channel = $1 ORDER BY 1', channel
    )
    return [(row[0], row[1].decode()) for row in rows]


async def test_what_is_acknowledged_is_committed(world, plain):
    process = await world.process()
    positions = await asyncio.gather(*(process.publish(CHANNEL, n) for n in range(200)))
    assert [position.offset for position in positions] == list(range(1, 201))
    assert await stored(plain) == [(n + 1, str(n)) for n in range(200)]
    assert len({position.epoch for position in positions}) == 1


async def test_subscribers_hear_it_once_in_order_and_only_after_the_commit(world, plain):
    hub, publisher = await world.process("hub"), await world.process("publisher")
    await hub.subscribe(CHANNEL, presence=False)
    await publisher.publish(CHANNEL, "warm")
    holder = plain.transaction()
    await holder.start()
    await plain.execute("SELECT 1 FROM app.stream_heads FOR UPDATE")
    publishing = asyncio.create_task(publisher.publish(CHANNEL, "held"))
    watch = await asyncpg.connect(world.url)
    await eventually(
        lambda: watch.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mobula-broker-0' "
            "AND wait_event_type = 'Lock' AND datname = current_database()"
        ),
        every_s=0.01,
    )
    # Everything else on the link goes on meanwhile, and nobody sees the uncommitted top.
    assert (await publisher.publish("room:a", "meanwhile")).offset == 1
    read = await hub.brokers.history(HistoryRequest(CHANNEL, limit=-1))
    assert read.position.offset == 1
    assert [entry[2] for entry in hub.sink.of("pub")] == ["warm"]
    await holder.rollback()
    await watch.close()
    assert (await publishing).offset == 2
    await eventually(lambda: [entry[2:] for entry in hub.sink.of("pub")] == [("warm", 1), ("held", 2)])


async def test_a_restart_keeps_epoch_and_offset_and_hubs_notice_nothing(world, plain):
    hub, publisher = await world.process("hub"), await world.process("publisher")
    await hub.subscribe(CHANNEL, presence=False)
    before = await publisher.publish(CHANNEL, 1)
    for n in range(2, 5):
        await world.kill()
        await world.begin()
        after = await eventually(lambda n=n: publisher.publish(CHANNEL, n), retry_on=(BrokerError,))
        assert after == StreamPosition(before.epoch, n)
    await eventually(lambda: [entry[3] for entry in hub.sink.of("pub")] == [1, 2, 3, 4])
    assert hub.sink.of("insufficient") == []


async def test_a_publication_sent_again_with_its_id_is_one_publication(world, plain):
    process = await world.process()
    first = await process.publish(CHANNEL, "x", publication_id="same")
    again = await process.publish(CHANNEL, "x", publication_id="same")
    together = await asyncio.gather(*(process.publish(CHANNEL, "y", publication_id="other") for _ in range(5)))
    assert first == again
    assert {position.offset for position in together} == {2}
    await world.kill()
    await world.begin()
    assert (
        await eventually(lambda: process.publish(CHANNEL, "x", publication_id="same"), retry_on=(BrokerError,)) == first
    )
    assert await stored(plain) == [(1, "x"), (2, "y")]


async def test_idempotency_keys_survive_a_restart_and_versions_too(world, plain):
    process = await world.process()
    first = await process.publish(CHANNEL, "x", idempotency_key="k", version=7)
    assert await process.publish(CHANNEL, "x", idempotency_key="k") == first
    await world.kill()
    await world.begin()
    again = await eventually(lambda: process.publish(CHANNEL, "x", idempotency_key="k"), retry_on=(BrokerError,))
    assert again == first
    assert (await process.publish(CHANNEL, "old", version=6)).offset == 1
    assert (await process.publish(CHANNEL, "new", version=8)).offset == 2
    assert await stored(plain) == [(1, "x"), (2, "new")]


async def test_a_zombie_acknowledges_nothing_after_the_take_over(world, plain):
    zombie = world.network.shard
    old = await world.process("old")
    await old.publish(CHANNEL, "before")
    zombie_network = Network(zombie)
    isolated = Process(zombie_network, "isolated")
    world.processes.append(isolated)
    await isolated.start()
    new = await world.begin()
    process = await world.process("new")
    assert (await process.publish(CHANNEL, "mine")).offset == 2
    with pytest.raises(BrokerError) as refusal:
        await isolated.publish(CHANNEL, "zombie's")
    assert refusal.value.code == 100
    with pytest.raises(ShardDeposed):
        await zombie.poll(b"")
    with pytest.raises(ShardDeposed):
        await zombie.submit(b"")
    assert not new.committer.deposed
    assert await stored(plain) == [(1, "before"), (2, "mine")]


async def test_a_commit_whose_answer_is_lost_is_found_and_acknowledged_once(database_url, plain):
    world = World(database_url)
    store = LosesAnswers(database_url, owner="loser", application_name="mobula-broker-0")
    await world.begin(store=store)
    hub, publisher = await world.process("hub"), await world.process("publisher")
    await hub.subscribe(CHANNEL, presence=False)
    await publisher.publish(CHANNEL, 0)
    store.lose = 1
    positions = await asyncio.gather(*(publisher.publish(CHANNEL, n) for n in range(1, 21)))
    assert [position.offset for position in positions] == list(range(2, 22))
    await eventually(lambda: [entry[3] for entry in hub.sink.of("pub")] == list(range(1, 22)))
    assert [text for _, text in await stored(plain)] == [str(n) for n in range(21)]
    await world.close()


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_doubled_or_reordered_while_backends_are_killed(world, plain, seed):
    """Kill the committing connection again and again under load: every acknowledged publication is there once."""
    dice = random.Random(seed)
    hub = await world.process("hub")
    publisher = await world.process("publisher")
    await hub.subscribe(CHANNEL, presence=False)
    acknowledged: dict[str, int] = {}
    refused: list[tuple[str, int]] = []
    done = asyncio.Event()

    async def publish(worker):
        for n in range(60):
            name = f"{worker}.{n}"
            try:
                acknowledged[name] = (await publisher.publish(CHANNEL, name)).offset
            except BrokerError as reason:
                refused.append((name, reason.code))

    async def kill():
        killed = 0
        while not done.is_set():
            target = len(acknowledged) + dice.randrange(5, 60)
            await eventually(lambda: done.is_set() or len(acknowledged) >= target, every_s=0.002, timeout_s=30)  # noqa: B023
            killed += await kill_backends(plain)
        return killed

    killing = asyncio.create_task(kill())
    await asyncio.gather(*(publish(worker) for worker in range(10)))
    done.set()
    assert await killing > 0
    rows = await stored(plain)
    assert [offset for offset, _ in rows] == list(range(1, len(rows) + 1))
    texts = [text for _, text in rows]
    assert len(texts) == len(set(texts)), "stored twice"
    at = {text: offset for offset, text in rows}
    assert {name: at[name] for name in acknowledged} == acknowledged
    assert set(texts) <= set(acknowledged) | {name for name, _ in refused}
    assert {code for _, code in refused} <= {100}
    for worker in range(10):
        mine = [at[f"{worker}.{n}"] for n in range(60) if f"{worker}.{n}" in acknowledged]
        assert mine == sorted(mine)
    await eventually(lambda: len(hub.sink.of("pub")) == len(rows))
    assert [(entry[3], entry[2]) for entry in hub.sink.of("pub")] == rows
    assert hub.sink.of("insufficient") == []


async def test_recovery_reaches_beyond_memory(world):
    process = await world.process()
    for n in range(1, 21):
        position = await process.publish(CHANNEL, n)
    shard = world.network.shard
    assert shard.table.channels[CHANNEL].ring.base == 15
    reply = await process.subscribe(CHANNEL, since=StreamPosition(position.epoch, 3))
    assert reply.recovered
    assert [p.offset for p in reply.publications] == list(range(4, 21))
    assert [p.data.decode() for p in reply.publications] == [str(n) for n in range(4, 21)]
    await world.kill()
    await world.begin()
    again = await eventually(
        lambda: process.subscribe(CHANNEL, "late", since=StreamPosition(position.epoch, 0)), retry_on=(BrokerError,)
    )
    assert [p.offset for p in again.publications] == list(range(1, 21))
    cached = await process.subscribe(CHANNEL, "c3", since=StreamPosition("", 0), cache_mode=True)
    assert [p.offset for p in cached.publications] == [20]


async def test_recovery_beyond_memory_while_publications_arrive_has_no_seam(world):
    publisher = await world.process("publisher")
    epoch = (await publisher.publish(CHANNEL, 0)).epoch
    await asyncio.gather(*(publisher.publish(CHANNEL, n) for n in range(1, 50)))
    hubs = [await world.process(f"hub{n}") for n in range(5)]
    stop = asyncio.Event()

    async def publish_for_ever():
        n = 50
        while not stop.is_set() and n < 280:
            await publisher.publish(CHANNEL, n)
            n += 1

    publishing = asyncio.create_task(publish_for_ever())
    replies = await asyncio.gather(
        *(hub.subscribe(CHANNEL, since=StreamPosition(epoch, 10), presence=False) for hub in hubs)
    )
    stop.set()
    await publishing
    last = await publisher.publish(CHANNEL, "last")
    for hub, reply in zip(hubs, replies, strict=True):
        assert reply.recovered
        await eventually(lambda hub=hub: hub.sink.of("pub") and hub.sink.of("pub")[-1][2] == "last")
        offsets = [p.offset for p in reply.publications] + [entry[3] for entry in hub.sink.of("pub")]
        assert offsets == list(range(11, last.offset + 1))


async def test_recovery_that_the_database_cannot_give_says_so(world, plain):
    process = await world.process()
    for n in range(1, 21):
        position = await process.publish(CHANNEL, n)
    await plain.execute('DELETE FROM app.stream_publications WHERE "offset" = 6')
    for offset in (3, 5):
        reply = await process.subscribe(CHANNEL, since=StreamPosition(position.epoch, offset))
        assert (reply.recovered, list(reply.publications)) == (False, [])
    reply = await process.subscribe(CHANNEL, since=StreamPosition(position.epoch, 6))
    assert reply.recovered


async def test_history_pages_reach_the_database(world):
    process = await world.process()
    for n in range(1, 21):
        position = await process.publish(CHANNEL, n, tags={"n": str(n)})

    async def page(**options):
        reply = await process.brokers.history(HistoryRequest(CHANNEL, **options))
        assert reply.position == position
        assert all(p.tags == {"n": p.data.decode()} for p in reply.publications)
        return [p.offset for p in reply.publications]

    assert await page(limit=-1) == list(range(1, 21))
    assert await page(limit=3, since=StreamPosition(position.epoch, 4)) == [5, 6, 7]
    assert await page(limit=8, reverse=True) == list(range(20, 12, -1))
    assert await page(limit=3, reverse=True) == [20, 19, 18]
    await process.brokers.history_remove(CHANNEL)
    assert await page(limit=-1) == []
    assert (await process.publish(CHANNEL, 21)).offset == 21


async def test_one_publication_that_cannot_be_stored_does_not_fail_its_neighbours(world, plain):
    process = await world.process()
    await process.publish(CHANNEL, "warm")
    results = await asyncio.gather(
        *(process.publish(CHANNEL, n, publication_id="nul\0" if n == 3 else f"good{n}") for n in range(8)),
        return_exceptions=True,
    )
    assert results[3].code == 107
    assert [text for _, text in await stored(plain)] == ["warm", "0", "1", "2", "4", "5", "6", "7"]
    assert [r.offset for n, r in enumerate(results) if n != 3] == list(range(2, 9))


async def test_a_number_that_postgres_does_not_have_is_refused_and_disturbs_nobody(world, plain):
    """The driver refuses it, which was taken for a lost connection: nothing was committed for 3 s."""
    process = await world.process()
    fence = (await process.publish(CHANNEL, "warm")) and world.network.shard.committer.fence
    results = await asyncio.gather(
        process.publish(CHANNEL, 1),
        process.publish(CHANNEL, 2, version=2**63),
        process.publish(CHANNEL, 3),
        return_exceptions=True,
    )
    assert results[1].code == 107
    assert [text for _, text in await stored(plain)] == ["warm", "1", "3"]
    assert world.network.shard.committer.fence == fence


async def test_a_head_that_was_pruned_begins_a_new_epoch_and_says_so(world, plain):
    hub = await world.process("hub")
    await hub.subscribe(CHANNEL, presence=False)
    first = await hub.publish(CHANNEL, 1)
    await plain.execute("DELETE FROM app.stream_publications")
    await plain.execute("DELETE FROM app.stream_heads")
    second = await hub.publish(CHANNEL, 2)
    assert (second.offset, second.epoch != first.epoch) == (1, True)
    await eventually(lambda: hub.sink.of("pub")[-1][2] == "2")
    assert hub.sink.of("insufficient") == [("insufficient", CHANNEL)]


async def test_info_and_tags_are_the_same_live_and_recovered(world):
    from actors.brokers.contract import ClientInfo

    process = await world.process()
    await process.subscribe(CHANNEL, presence=False)
    info = ClientInfo("user", "client", b'{"name": "x"}', b"\x00\xff")
    position = await process.publish(
        CHANNEL, "x", info=info, tags={"a": "b"}, delta=True, exclude_users=("u",), exclude_clients=("c",)
    )
    await eventually(lambda: process.sink.publications)
    world.network.shard.table.channels[CHANNEL].ring.clear(1)
    reply = await process.subscribe(CHANNEL, "d", since=StreamPosition(position.epoch, 0))
    assert list(reply.publications) == process.sink.publications
    assert reply.publications[0].info == info


async def test_after_an_outage_publishing_resumes(world, plain, postgres_server):
    """The server refuses connections for a while, as it does during its restart."""
    admin = await asyncpg.connect(postgres_server)
    process = await world.process()
    await process.publish(CHANNEL, 1)
    name = await plain.fetchval("SELECT current_database()")
    await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        await kill_backends(plain)
        with pytest.raises(BrokerError) as refusal:
            await process.publish(CHANNEL, "lost")
        assert refusal.value.code == 100
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
    # By one id: what was answered with 100 may be committed all the same, also the first one, and then it is not made
    # again.
    after = await eventually(
        lambda: process.publish(CHANNEL, 2, publication_id="again"), retry_on=(BrokerError,), timeout_s=15
    )
    rows = await stored(plain)
    assert rows in ([(1, "1"), (2, "2")], [(1, "1"), (2, "lost"), (3, "2")])
    assert after.offset == len(rows)
