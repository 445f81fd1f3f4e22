"""Persistent maps over a real Postgres: keys and stream are one commit, whatever dies in between."""

import asyncio
import random

import msgspec
import pytest

from actors.brokers.contract import BrokerError, StreamPosition
from tests.fixtures.brokers import LosesAnswers, Network, Process, World, kill_backends
from tests.fixtures.maps import CHANNEL, again, entries, replayed, stored_keys
from tests.fixtures.waiting import eventually


async def test_what_is_acknowledged_is_in_both_tables(world, plain):
    process = await world.process()
    for key, data in (("a", "1"), ("b", "1"), ("a", "2")):
        await process.change(CHANNEL, key, data, score=5)
    assert (await process.change(CHANNEL, "b", None)).position.offset == 4
    assert await stored_keys(plain) == {"a": "2"} == await replayed(plain) == await process.keys(CHANNEL)
    assert await plain.fetchval('SELECT "offset" FROM app.map_keys WHERE key = $1', "a") == 3


async def test_one_batch_decides_in_order(world, plain):
    process = await world.process()
    await process.change(CHANNEL, "warm", 0)
    results = await asyncio.gather(*(process.change(CHANNEL, "k", n, mode="if_new") for n in range(20)))
    assert [r.suppressed for r in results] == [""] + ["key_exists"] * 19
    mixed = await asyncio.gather(
        process.change(CHANNEL, "k", None),
        process.change(CHANNEL, "k", None),
        process.change(CHANNEL, "k", "new", mode="if_new"),
        process.change(CHANNEL, "k", "v", mode="if_exists", version=3),
        process.change(CHANNEL, "k", "old", version=3),
    )
    assert [r.suppressed for r in mixed] == ["", "key_not_found", "", "", "version"]
    assert await stored_keys(plain) == {"warm": "0", "k": "v"} == await replayed(plain)
    outcomes = await asyncio.gather(*(process.change(CHANNEL, f"n{n}", n) for n in range(12)), return_exceptions=True)
    assert [getattr(o, "code", 0) for o in outcomes] == [0] * 8 + [106] * 4


async def test_a_restart_keeps_keys_epoch_and_versions_and_hubs_notice_nothing(world, plain):
    hub, publisher = await world.process("hub"), await world.process("publisher")
    await hub.step(CHANNEL, 2)
    first = await publisher.change(CHANNEL, "a", 1, version=4, tags={"t": "x"})
    for n in range(2, 5):
        await world.kill()
        await world.begin()
        made = await again(lambda n=n: publisher.change(CHANNEL, f"k{n}", n))
        assert made.position == StreamPosition(first.position.epoch, n)
    await eventually(lambda: [p.offset for p in hub.sink.publications] == [1, 2, 3, 4])
    assert hub.sink.of("insufficient") == []
    assert (await publisher.change(CHANNEL, "a", 0, version=4)).suppressed == "version"
    read = await publisher.brokers.map_read(CHANNEL, limit=100)
    assert entries(read.entries) == [("a", "1"), ("k2", "2"), ("k3", "3"), ("k4", "4")]
    assert (read.entries[0].tags, read.entries[0].offset) == ({"t": "x"}, 1)


async def test_recovery_reaches_beyond_memory_in_pages(world):
    process = await world.process()
    live = await process.step(CHANNEL, 2)
    for n in range(8):
        await process.change(CHANNEL, f"k{n % 3}", n)
    await process.change(CHANNEL, "k0", None)
    await world.kill()
    await world.begin()
    back = await again(lambda: process.step(CHANNEL, 1, since=StreamPosition(live.position.epoch, 5)))
    assert (back.page.phase, entries(back.page.changes)) == (
        0,
        [("k2", "5"), ("k0", "6"), ("k1", "7"), ("k0", None)],
    )
    since, start, seen = live.position, 0, []
    for _ in range(9):
        page = (await process.step(CHANNEL, 1, "p", limit=3, since=since, start=start)).page
        seen += entries(page.changes)
        if page.phase == 0:
            break
        since, start = page.since, page.start
    assert len(seen) == 9
    assert seen[0] == ("k0", "0")
    assert seen[-1] == ("k0", None)


async def test_recovery_that_the_database_cannot_give_says_so(world, plain):
    process = await world.process()
    live = await process.step(CHANNEL, 2)
    for n in range(8):
        await process.change(CHANNEL, "k", n)
    await plain.execute('DELETE FROM app.stream_publications WHERE "offset" < 3')
    with pytest.raises(BrokerError) as refusal:
        await process.step(CHANNEL, 1, since=live.position)
    assert refusal.value.code == 112


async def test_a_zombie_changes_no_key_after_the_take_over(world, plain):
    zombie = world.network.shard
    isolated = Process(Network(zombie), "isolated")
    world.processes.append(isolated)
    await isolated.start()
    await isolated.change(CHANNEL, "k", "before")
    await world.begin()
    process = await world.process("new")
    assert (await process.change(CHANNEL, "k", "mine")).position.offset == 2
    for data in ("zombie's", None):
        with pytest.raises(BrokerError) as refusal:
            await isolated.change(CHANNEL, "k", data)
        assert refusal.value.code == 100
    assert await stored_keys(plain) == {"k": "mine"} == await replayed(plain)


async def test_a_condition_is_not_refused_by_its_own_commit_whose_answer_was_lost(database_url, plain):
    world = World(database_url)
    store = LosesAnswers(database_url, owner="loser", application_name="mobula-broker-0")
    await world.begin(store=store)
    process = await world.process()
    await process.change(CHANNEL, "warm", 0)
    store.lose = 1
    made = await process.change(CHANNEL, "k", 1, mode="if_new")
    assert (made.suppressed, made.position.offset) == ("", 2)
    assert await process.keys(CHANNEL) == await stored_keys(plain) == {"warm": "0", "k": "1"}
    await world.close()


async def test_a_condition_sent_again_to_the_next_incarnation_is_answered_by_what_it_did(world, plain):
    process = await world.process()
    first = await process.change(CHANNEL, "k", 1, mode="if_new", publication_id="same")
    await world.kill()
    view = process.brokers._views[0]

    async def send_again():
        """Marked as sent before: it may have reached the last incarnation."""
        asking = asyncio.create_task(process.change(CHANNEL, "k", 1, mode="if_new", publication_id="same"))
        await eventually(lambda: bool(view.requests.asked) or asking.done())
        for asked in view.requests.asked.values():
            asked.op = msgspec.structs.replace(asked.op, resent=True)
        return await asking

    # Sent while nobody is there. A busy machine may take longer to begin than an operation waits: then it is refused.
    waiting = [asyncio.create_task(send_again())]
    await eventually(lambda: bool(view.requests.asked))
    await world.begin()
    made = await again(lambda: waiting.pop() if waiting else send_again())
    assert (made.suppressed, made.position) in (("", first.position), ("key_exists", first.position))
    other = await again(lambda: process.change(CHANNEL, "k", 1, mode="if_new"))
    assert other.suppressed == "key_exists"


@pytest.mark.parametrize("seed", range(2))
async def test_keys_and_stream_agree_while_backends_are_killed(world, plain, seed):
    dice = random.Random(seed)
    hub, publisher = await world.process("hub"), await world.process("publisher")
    await hub.step(CHANNEL, 2)
    done = asyncio.Event()
    answered = 0

    async def change(worker):
        nonlocal answered
        for n in range(60):
            try:
                data = None if dice.random() < 0.3 else f"{worker}.{n}"
                await publisher.change(CHANNEL, dice.choice("abcde"), data)
            except BrokerError as reason:
                assert reason.code == 100  # noqa: PT017
            answered += 1

    async def kill():
        killed = 0
        while not done.is_set():
            target = answered + dice.randrange(5, 60)
            await eventually(lambda: done.is_set() or answered >= target, every_s=0.002, timeout_s=30)  # noqa: B023
            killed += await kill_backends(plain)
        return killed

    killing = asyncio.create_task(kill())
    await asyncio.gather(*(change(worker) for worker in range(8)))
    done.set()
    assert await killing > 0
    expected = await replayed(plain)
    assert await stored_keys(plain) == expected
    assert await again(lambda: publisher.keys(CHANNEL)) == expected
    seen = {}
    top = await plain.fetchval("SELECT top FROM app.stream_heads WHERE channel = $1", CHANNEL)
    await eventually(lambda: bool(hub.sink.publications) and hub.sink.publications[-1].offset == top)
    for publication in hub.sink.publications:
        if publication.removed:
            seen.pop(publication.key, None)
        else:
            seen[publication.key] = publication.data.decode()
    assert seen == expected
    assert [p.offset for p in hub.sink.publications] == list(range(1, top + 1))


async def test_clear_begins_a_new_epoch_that_survives(world, plain):
    hub = await world.process()
    await hub.step(CHANNEL, 2)
    first = await hub.change(CHANNEL, "k", 1)
    await hub.brokers.map_clear(CHANNEL)
    await eventually(lambda: hub.sink.of("insufficient") == [("insufficient", CHANNEL)])
    assert await stored_keys(plain) == {} == await replayed(plain)
    made = await hub.change(CHANNEL, "n", 1)
    assert made.position.offset == 1
    assert made.position.epoch != first.position.epoch
    await world.kill()
    await world.begin()
    assert await again(lambda: hub.keys(CHANNEL)) == {"n": "1"}
    assert (await hub.change(CHANNEL, "n", 2)).position == StreamPosition(made.position.epoch, 2)


async def test_a_head_is_not_pruned_while_there_are_keys(world, plain):
    process = await world.process()
    first = await process.change(CHANNEL, "k", 1)
    await plain.execute("DELETE FROM app.stream_publications")
    await plain.execute("UPDATE app.stream_heads SET expires_at = now() - interval '1 day'")
    await world.network.shard._reader.prune(100)
    await world.kill()
    await world.begin()
    assert (await again(lambda: process.change(CHANNEL, "k", 2))).position == StreamPosition(first.position.epoch, 2)
