"""Maps in memory: steps to a live subscription, changes, expiry, resets. In virtual time."""

import msgspec
import pytest

from actors.brokers import map_turns
from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.links.stream import LEASE_S
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES, MemoryWorld
from tests.fixtures.simulation import passes, simulate


def entries(publications):
    return [(p.key, None if p.removed else p.data.decode()) for p in publications]


async def refused(awaitable, code):
    with pytest.raises(BrokerError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value


def in_world(test):
    """Run an async test of (world, hub) in virtual time."""

    def run():
        async def main():
            async with MemoryWorld() as world:
                await test(world, await world.process("hub"))

        simulate(main())

    run.__name__ = test.__name__
    return run


@in_world
async def test_an_empty_map_is_live_at_once(world, hub):
    reply = await hub.step("board:a", 2)
    assert reply.page.phase == 0
    assert (reply.page.state, reply.page.changes, reply.position.offset) == ([], [], 0)
    await hub.change("board:a", "k", 1)
    await passes(1)
    assert [(p.key, p.data, p.offset) for p in hub.sink.publications] == [("k", b"1", 1)]


@in_world
async def test_pages_then_changes_then_live(world, hub):
    for key in "abcde":
        await hub.change("board:a", key, key + "1")
    first = await hub.step("board:a", 2, limit=2)
    assert (first.page.phase, entries(first.page.state)) == (2, [("a", "a1"), ("b", "b1")])
    assert first.page.since == StreamPosition(first.position.epoch, 5)
    await hub.change("board:a", "a", "a2")
    await hub.change("board:a", "d", None)
    await hub.change("board:a", "f", "f1")
    second = await hub.step("board:a", 2, limit=2, cursor=first.page.cursor, since=first.page.since)
    # `d` is gone and `f` changed after the first page: the stream tells both.
    assert entries(second.page.state) == [("c", "c1"), ("e", "e1")]
    last = await hub.step("board:a", 2, limit=2, cursor=second.page.cursor, since=first.page.since)
    assert (last.page.phase, entries(last.page.state), last.page.cursor) == (2, [], "")
    stream = await hub.step("board:a", 1, limit=2, since=last.page.since, start=last.page.start)
    assert (stream.page.phase, entries(stream.page.changes)) == (1, [("a", "a2"), ("d", None)])
    assert stream.page.since.offset == 7
    live = await hub.step("board:a", 1, limit=2, since=stream.page.since, start=stream.page.start)
    assert (live.page.phase, entries(live.page.changes), live.position.offset) == (0, [("f", "f1")], 8)
    await hub.change("board:a", "g", "g1")
    await passes(1)
    assert [p.key for p in hub.sink.publications] == ["g"]
    assert await hub.keys("board:a") == {
        **{"a": "a2", "b": "b1", "c": "c1"},
        **{"e": "e1", "f": "f1", "g": "g1"},
    }


@in_world
async def test_the_last_page_goes_live_when_little_changed(world, hub):
    for key in "abc":
        await hub.change("board:a", key, key)
    first = await hub.step("board:a", 2, limit=2)
    await hub.change("board:a", "a", "again")
    last = await hub.step("board:a", 2, limit=2, cursor=first.page.cursor, since=first.page.since)
    assert last.page.phase == 0
    assert (entries(last.page.state), entries(last.page.changes)) == ([("c", "c")], [("a", "again")])
    assert last.position.offset == 4


@in_world
async def test_an_ephemeral_map_catches_up_within_its_pages(world, hub):
    """Clients cannot ask for its stream, and yet nothing falls between its pages."""
    for key in "abcd":
        await hub.change("cursors:a", key, key)
    first = await hub.step("cursors:a", 2, limit=2)
    await hub.change("cursors:a", "a", None)
    last = await hub.step("cursors:a", 2, limit=2, cursor=first.page.cursor, since=first.page.since)
    assert (last.page.phase, entries(last.page.changes)) == (0, [("a", None)])
    await refused(hub.step("cursors:a", 1, since=first.page.since), 107)


@in_world
async def test_recovery_brings_what_was_missed_or_says_that_it_cannot(world, hub):
    await hub.change("board:a", "a", 1)
    live = await hub.step("board:a", 2)
    for n in range(2, 5):
        await hub.change("board:a", "b", n)
    back = await hub.step("board:a", 1, since=live.position)
    assert (back.page.phase, entries(back.page.changes)) == (0, [("b", "2"), ("b", "3"), ("b", "4")])
    for n in range(5, 8):
        await hub.change("board:a", "b", n)
    # More than one reply may bring; then further back than the stream is kept.
    await refused(hub.step("board:a", 1, since=live.position), 112)
    await refused(hub.step("board:a", 0, since=live.position), 112)
    await hub.change("board:a", "b", 8)
    await refused(hub.step("board:a", 1, since=live.position, limit=2), 112)
    await refused(hub.step("board:a", 1, since=StreamPosition("other", 1)), 112)
    await refused(hub.step("board:a", 1, since=StreamPosition(live.position.epoch, 99)), 112)
    await refused(hub.step("board:a", 0), 112)
    await refused(hub.step("board:a", 7), 107)


@in_world
async def test_changes_beyond_a_clients_queue_come_in_pages(world, hub):
    live = await hub.step("board:a", 2)
    for n in range(3):
        await hub.change("board:a", "abc"[n], "x" * 60)
    whole, map_turns.CATCH_UP_BYTES = map_turns.CATCH_UP_BYTES, 250
    try:
        page = await hub.step("board:a", 1, since=live.position)
        assert (page.page.phase, len(page.page.changes)) == (1, 2)
        page = await hub.step("board:a", 1, since=page.page.since, start=page.page.start)
        assert (page.page.phase, len(page.page.changes)) == (0, 1)
    finally:
        map_turns.CATCH_UP_BYTES = whole


@in_world
async def test_ordered_pages(world, hub):
    for key, score in (("a", 1), ("b", 3), ("c", 2)):
        await hub.change("scores:a", key, score, score=score)
    down = await hub.step("scores:a", 2, limit=2)
    assert [(p.key, p.score) for p in down.page.state] == [("b", 3), ("c", 2)]
    up = await hub.step("scores:a", 2, limit=2, ascending=True)
    assert [(p.key, p.score) for p in up.page.state] == [("a", 1), ("c", 2)]
    rest = await hub.step("scores:a", 2, limit=2, cursor=down.page.cursor, since=down.page.since)
    assert entries(rest.page.state) == [("a", "1")]


@in_world
async def test_conditions_and_what_they_answer(world, hub):
    made = await hub.change("board:a", "k", 1, mode="if_new")
    assert (made.position.offset, made.suppressed) == (1, "")
    again = await hub.change("board:a", "k", 2, mode="if_new")
    assert (again.position.offset, again.suppressed) == (1, "key_exists")
    assert (await hub.change("board:a", "n", None)).suppressed == "key_not_found"
    wrong = StreamPosition(made.position.epoch, 9)
    assert (await hub.change("board:a", "k", 2, expected=wrong)).suppressed == "position_mismatch"
    assert (await hub.change("board:a", "k", 2, expected=made.position)).suppressed == ""
    assert (await hub.change("board:a", "k", 3, version=4)).suppressed == ""
    assert (await hub.change("board:a", "k", 4, version=4)).suppressed == "version"
    assert await hub.keys("board:a") == {"k": "3"}


@in_world
async def test_the_same_idempotency_key_changes_once(world, hub):
    first = await hub.change("board:a", "k", 1, idempotency_key="i")
    await hub.change("board:a", "k", 2)
    assert (await hub.change("board:a", "k", 1, idempotency_key="i")).position == first.position
    assert await hub.keys("board:a") == {"k": "2"}


@in_world
async def test_maps_and_streams_refuse_each_others_operations(world, hub):
    await refused(hub.publish("board:a", "x"), 107)
    await refused(hub.change("room:a", "k", 1), 107)
    await refused(hub.step("room:a", 2), 107)
    await refused(hub.brokers.map_read("room:a", limit=1), 107)
    await refused(hub.brokers.map_clear("room:a"), 107)
    await refused(hub.change("nowhere:a", "k", 1), 102)
    await refused(hub.change("board:a", "toolongkey", 1), 107)
    await refused(hub.change("board:a", "k", "x" * 101), 106)


@in_world
async def test_reads(world, hub):
    for key in "cab":
        await hub.change("board:a", key, key)
    page = await hub.brokers.map_read("board:a", limit=2)
    assert (entries(page.entries), page.total, page.position.offset) == ([("a", "a"), ("b", "b")], 3, 3)
    rest = await hub.brokers.map_read("board:a", limit=2, cursor=page.cursor)
    assert (entries(rest.entries), rest.cursor) == ([("c", "c")], "")
    one = await hub.brokers.map_read("board:a", limit=0, key="b")
    assert entries(one.entries) == [("b", "b")]
    assert entries((await hub.brokers.map_read("board:a", limit=1, key="none")).entries) == []
    count = await hub.brokers.map_read("board:a", limit=0)
    assert (count.total, count.entries) == (3, [])
    changes = await hub.brokers.history(HistoryRequest("board:a", limit=-1))
    assert entries(changes.publications) == [("c", "c"), ("a", "a"), ("b", "b")]


@in_world
async def test_keys_expire_and_everybody_hears_it(world, hub):
    await hub.step("cursors:a", 2)
    await hub.change("cursors:a", "a", 1)
    await passes(6)
    await hub.change("cursors:a", "b", 1)
    await passes(2)
    await hub.change("cursors:a", "b", 2)
    await passes(3)
    assert entries(hub.sink.publications) == [("a", "1"), ("b", "1"), ("b", "2"), ("a", None)]
    await passes(8)
    assert entries(hub.sink.publications)[4:] == [("b", None)]
    assert await hub.keys("cursors:a") == {}


@in_world
async def test_a_key_may_have_a_time_to_live_of_its_own(world, hub):
    await hub.step("cursors:a", 2)
    await hub.change("cursors:a", "a", 1)
    # Shorter than what is waited for already, and longer than what the map gives.
    await hub.change("cursors:a", "b", 1, ttl_s=2)
    await hub.change("cursors:a", "c", 1, ttl_s=60)
    await passes(3)
    assert await hub.keys("cursors:a") == {"a": "1", "c": "1"}
    await passes(10)
    assert await hub.keys("cursors:a") == {"c": "1"}
    await passes(50)
    assert await hub.keys("cursors:a") == {}
    assert [p.key for p in hub.sink.publications if p.removed] == ["b", "a", "c"]


@in_world
async def test_a_map_has_room_for_so_many_subscribers(world, hub):
    rules = world.shard.namespaces.for_channel("board:a")
    channel = world.shard.table.get("board:a")
    channel.rules = msgspec.structs.replace(rules, channel_max_subscribers=1)
    await hub.step("board:a", 2, "c1")
    with pytest.raises(BrokerError) as refused:
        await hub.step("board:a", 2, "c2")
    assert refused.value.code == 106


@in_world
async def test_other_limits_keep_the_keys_and_another_order_does_not(world, hub):
    await hub.step("board:a", 2)
    await hub.change("board:a", "k", 1)
    more = NAMESPACES.replace("max_keys: 10\n      max_key_bytes: 8", "max_keys: 1\n      max_key_bytes: 8")
    assert more != NAMESPACES
    world.shard.use(Namespaces.parse(more))
    assert await hub.keys("board:a") == {"k": "1"}
    with pytest.raises(BrokerError) as refused:
        await hub.change("board:a", "l", 1)
    assert refused.value.code == 106
    assert hub.sink.of("insufficient") == []
    board = "    map: &small\n      mode: recoverable\n"
    world.shard.use(
        Namespaces.parse(
            NAMESPACES.replace(board, board + "      ordered: true\n").replace(
                "      <<: *small\n      ordered: true\n", "      <<: *small\n"
            )
        )
    )
    await passes(1)
    assert await hub.keys("board:a") == {}
    assert hub.sink.of("insufficient") == [("insufficient", "board:a")]


@in_world
async def test_a_wave_of_expiry_is_spread(world, hub):
    for key in "abcdef":
        await hub.change("cursors:a", key, 1)
    whole, map_turns.EXPIRED_PER_ROUND = map_turns.EXPIRED_PER_ROUND, 2
    try:
        await passes(10.3)
        assert 0 < len(await hub.keys("cursors:a")) < 6
        await passes(2)
        assert await hub.keys("cursors:a") == {}
    finally:
        map_turns.EXPIRED_PER_ROUND = whole


@in_world
async def test_a_connections_own_key_goes_when_it_leaves(world, hub):
    watcher = await world.process("watcher")
    await watcher.step("cursors:a", 2, "w")
    for client in ("c1", "c2"):
        await hub.step("cursors:a", 2, client)
        await hub.change("cursors:a", client, 1)
    hub.unsubscribe("cursors:a", 1, "c1")
    await passes(1)
    assert await watcher.keys("cursors:a") == {"c2": "1"}
    # Its process dies: the lease removes it, well before a time to live that is refreshed would.
    await hub.change("cursors:a", "c2", 2)
    await hub.brokers.stop()
    await passes(LEASE_S + 3)
    assert entries(watcher.sink.publications)[-1] == ("c2", None)


@in_world
async def test_clear_begins_a_new_epoch(world, hub):
    await hub.step("board:a", 2)
    made = await hub.change("board:a", "k", 1)
    await hub.brokers.map_clear("board:a")
    await passes(1)
    assert hub.sink.of("insufficient") == [("insufficient", "board:a")]
    read = await hub.brokers.map_read("board:a", limit=1)
    assert (read.total, read.position.offset) == (0, 0)
    assert read.position.epoch != made.position.epoch
    await refused(hub.step("board:a", 1, since=made.position), 112)


@in_world
async def test_a_restarted_shard_has_no_keys_and_its_subscribers_are_told(world, hub):
    for channel in ("board:a", "cursors:a"):
        await hub.step(channel, 2)
        await hub.change(channel, "k", 1)
    await passes(1)
    await world.restart()
    await passes(5)
    assert {channel for _, channel in hub.sink.of("insufficient")} == {"board:a", "cursors:a"}
    assert await hub.keys("board:a") == {}


@in_world
async def test_what_a_slow_hub_missed_is_repaired_from_the_stream(world, hub):
    await hub.step("cursors:a", 2)
    await hub.change("cursors:a", "a", 1)
    await passes(1)
    stream = world.shard.streams.clients["hub"]
    stream._limit_bytes = 0
    for n in range(2, 5):
        await hub.change("cursors:a", "a", n)
    await passes(1)
    assert stream.overflows
    assert [p.offset for p in hub.sink.publications] == [1, 2, 3, 4]
    assert not hub.sink.of("insufficient")


@in_world
async def test_deltas_carry_what_they_replace(world, hub):
    await hub.step("board:a", 2)
    await hub.change("board:a", "k", "one", delta=True)
    await hub.change("board:a", "k", "two", delta=True)
    await hub.change("board:a", "k", "three")
    await hub.change("board:a", "k", None, delta=True)
    await passes(1)
    assert [p.before for p in hub.sink.publications] == [b"", b"one", b"", b""]
    await hub.change("board:a", "k", "a", delta=True)
    await hub.change("board:a", "k", "b", delta=True)
    page = await hub.brokers.map_read("board:a", limit=1)
    assert (page.entries[0].data, page.entries[0].before) == (b"b", b"")


@in_world
async def test_a_map_with_keys_stays_in_memory(world, hub):
    await hub.change("board:a", "k", 1)
    channel = world.shard.table.channels["board:a"]
    assert channel.in_use
    await hub.change("board:a", "k", None)
    assert not channel.in_use


@in_world
async def test_the_last_page_of_an_ephemeral_map_is_its_last_step_however_much_has_changed(world, hub):
    for key in "abc":
        await hub.change("cursors:a", key, key)
    first = await hub.step("cursors:a", 2, limit=2)
    for n in range(4):
        await hub.change("cursors:a", "a", n)
    # More than a page of changes: a recoverable map would have its client ask for them.
    last = await hub.step("cursors:a", 2, limit=2, cursor=first.page.cursor, since=first.page.since)
    assert (last.page.phase, len(last.page.changes)) == (0, 4)
    await hub.change("cursors:a", "a", "one too many")
    await refused(hub.step("cursors:a", 2, "d", limit=2, cursor=first.page.cursor, since=first.page.since), 112)
