"""From a transaction to the keys of a map: in commit order, once, under the rules of the map."""

import pytest

from actors.brokers.contract import BrokerError
from db.outbox.service import map_publish, map_remove, publish
from tests.fixtures.maps import CHANNEL, again, entries, replayed, stored_keys
from tests.fixtures.waiting import eventually


@pytest.mark.parametrize("channel", [CHANNEL, "board:a"])
async def test_what_a_transaction_does_to_keys_arrives_when_it_commits(world, database, plain, channel):
    hub = await world.process()
    await hub.step(channel, 2)
    async with database.transaction() as session:
        await map_publish(session, channel, "a", {"n": 1}, score=3, tags={"t": "x"})
        await map_publish(session, channel, "b", {"n": 2})
        await map_remove(session, channel, "b")
        assert hub.sink.publications == []
    world.network.shard.committer.poke()
    await eventually(lambda: len(hub.sink.publications) == 3)
    assert entries(hub.sink.publications) == [("a", '{"n": 1}'), ("b", '{"n": 2}'), ("b", None)]
    assert (hub.sink.publications[0].score, hub.sink.publications[0].tags) == (3, {"t": "x"})
    assert await hub.keys(channel) == {"a": '{"n": 1}'}
    assert (await hub.change(channel, "a", "next", mode="if_exists")).position.offset == 4
    if channel == CHANNEL:
        assert await stored_keys(plain) == {"a": "next"} == await replayed(plain)
        await world.kill()
        await world.begin()
        assert await again(lambda: hub.keys(channel)) == {"a": "next"}


async def test_a_rolled_back_transaction_changes_no_key(world, database, plain):
    hub = await world.process()

    async def fail():
        async with database.transaction() as session:
            await map_publish(session, CHANNEL, "a", 1)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with database.transaction() as session:
        await map_publish(session, CHANNEL, "b", 2)
    await eventually(lambda: stored_keys(plain))
    assert await hub.keys(CHANNEL) == {"b": "2"}


async def test_outbox_rows_that_do_not_fit_their_channel_are_dropped(world, database):
    hub = await world.process()
    await hub.subscribe("room:a", presence=False)
    await hub.step("board:a", 2)
    async with database.transaction() as session:
        await map_publish(session, "room:a", "k", 1)
        await publish(session, "board:a", 1)
        await map_publish(session, "board:a", "toolongkey", 1)
        await publish(session, "room:a", 2)
        await map_publish(session, "board:a", "k", 2)
    world.network.shard.committer.poke()
    await eventually(lambda: len(hub.sink.publications) == 2)
    assert {(p.key, p.data) for p in hub.sink.publications} == {("", b"2"), ("k", b"2")}


@pytest.mark.parametrize("channel", [CHANNEL, "board:a"])
async def test_changes_of_transactions_keep_to_the_rules_of_the_map(world, database, plain, channel):
    hub = await world.process()
    await hub.step(channel, 2)
    async with database.transaction() as session:
        await map_publish(session, channel, "a", 1, tags={"t": "x"}, version=3)
        await map_publish(session, channel, "a", 2, version=3)
        await map_publish(session, channel, "a", 3, key_mode="if_new")
        await map_publish(session, channel, "b", 4, key_mode="if_exists")
        await map_remove(session, channel, "c")
        for n in range(12):
            await map_publish(session, channel, f"n{n}", n)
        await map_remove(session, channel, "a")
    world.network.shard.committer.poke()
    await eventually(lambda: len(hub.sink.publications) == 11)
    last = hub.sink.publications[-1]
    # Who filters by tags hears that it is gone.
    assert (last.key, last.removed, last.tags) == ("a", True, {"t": "x"})
    assert await hub.keys(channel) == {f"n{n}": str(n) for n in range(9)}
    await eventually(lambda: _empty(plain))
    if channel == CHANNEL:
        assert await stored_keys(plain) == await replayed(plain) == await hub.keys(channel)


async def _empty(plain):
    return await plain.fetchval("SELECT count(*) FROM app.outbox") == 0


async def test_an_idempotency_key_counts_for_changes_of_transactions(world, database, plain):
    hub = await world.process()
    await hub.step(CHANNEL, 2)
    await hub.change(CHANNEL, "a", 1, idempotency_key="once")
    await world.kill()
    await world.begin()
    async with database.transaction() as session:
        await map_publish(session, CHANNEL, "a", 2, idempotency_key="once")
        await map_publish(session, CHANNEL, "b", 3, idempotency_key="twice")
        await map_publish(session, CHANNEL, "b", 4, idempotency_key="twice")
        await map_publish(session, CHANNEL, "c", 5)
    await eventually(lambda: len(hub.sink.publications) == 3, 15)
    assert await hub.keys(CHANNEL) == {"a": "1", "b": "3", "c": "5"} == await stored_keys(plain)
    await eventually(lambda: _empty(plain))


async def test_changes_of_transactions_survive_shards_that_die_on_them(world, database, plain):
    hub = await world.process()
    await hub.step(CHANNEL, 2)
    for n in range(60):
        async with database.transaction() as session:
            await map_publish(session, CHANNEL, f"k{n % 7}", n)
        if n in {20, 40}:
            await world.kill()
            await world.begin()
    await eventually(lambda: len(hub.sink.publications) == 60, 30)
    assert [int(p.data) for p in hub.sink.publications] == list(range(60))
    wanted = {f"k{n % 7}": str(n) for n in range(53, 60)}
    assert await stored_keys(plain) == await again(lambda: hub.keys(CHANNEL)) == wanted
    assert hub.sink.of("insufficient") == []


async def test_a_time_to_live_is_not_for_persistent_maps(world, database, plain):
    hub = await world.process()
    await hub.step(CHANNEL, 2)
    with pytest.raises(BrokerError) as refused:
        await hub.change(CHANNEL, "a", 1, ttl_s=5)
    assert refused.value.code == 107
    async with database.transaction() as session:
        await map_publish(session, CHANNEL, "a", 1, key_ttl_s=5)
        await map_publish(session, CHANNEL, "b", 1)
    await eventually(lambda: len(hub.sink.publications) == 1)
    assert await stored_keys(plain) == {"b": "1"}
