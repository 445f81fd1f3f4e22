"""Presence as maps: pages and changes of who is in a channel, across resets and moves of meaning. In virtual time."""

import asyncio
import functools
import random

import pytest

from actors.brokers.contract import BrokerError, ClientInfo, PublishRequest
from actors.links.stream import LEASE_S
from tests.fixtures.brokers import MemoryWorld, NoDatabase
from tests.fixtures.simulation import passes, simulate

CLIENTS, USERS = "$clients:room:a", "$users:room:a"


def in_world(test):
    """Run an async test of (world, hub) in virtual time."""

    @functools.wraps(test)
    def run():
        async def main():
            async with MemoryWorld() as world:
                await test(world, await world.process("hub"))

        simulate(main())

    del run.__wrapped__
    return run


def keys(publications):
    return [(p.key, p.removed) for p in publications]


def changes(process, channel):
    """What a process heard of a map, as (key, removed)."""
    return keys(process.sink.publications)


async def refused(awaitable, code):
    with pytest.raises(BrokerError) as caught:
        await awaitable
    assert caught.value.code == code, caught.value


@in_world
async def test_who_is_there_comes_with_info_then_who_comes_and_goes(world, hub):
    ada = await hub.subscribe("room:a", "ada")
    reply = await hub.step(CLIENTS, 2, "viewer")
    assert reply.page.phase == 0
    [entry] = reply.page.state
    assert (entry.key, entry.info) == ("ada", ClientInfo("user of ada", "ada"))
    # Whoever watches is not there.
    assert set(await hub.brokers.presence("room:a")) == {"ada"}
    bob = await hub.subscribe("room:a", "bob")
    hub.unsubscribe("room:a", ada.subscription)
    await passes(1)
    assert keys(hub.sink.publications) == [("bob", False), ("ada", True)]
    assert [p.info.user for p in hub.sink.publications] == ["user of bob", "user of ada"]
    assert [p.offset for p in hub.sink.publications] == [reply.position.offset + 1, reply.position.offset + 2]
    hub.unsubscribe("room:a", bob.subscription)
    await passes(1)
    assert (await hub.step(CLIENTS, 2, "second")).page.state == []


@in_world
async def test_a_user_is_one_key_until_the_last_connection_leaves(world, hub):
    first = await hub.subscribe("room:a", "one", user="ada")
    reply = await hub.step(USERS, 2, "viewer")
    assert [(p.key, p.info) for p in reply.page.state] == [("ada", None)]
    second = await hub.subscribe("room:a", "two", user="ada")
    third = await hub.subscribe("room:a", "three", user="bob")
    hub.unsubscribe("room:a", first.subscription)
    await passes(1)
    assert keys(hub.sink.publications) == [("bob", False)]
    hub.unsubscribe("room:a", second.subscription)
    hub.unsubscribe("room:a", third.subscription)
    await passes(4)
    assert keys(hub.sink.publications) == [("bob", False)]
    await passes(2)
    assert keys(hub.sink.publications) == [("bob", False), ("ada", True), ("bob", True)]
    assert (await hub.step(USERS, 2, "second viewer")).page.state == []


@in_world
async def test_a_user_who_reloads_a_page_did_not_leave(world, hub):
    page = await hub.subscribe("room:a", "one", user="ada")
    await hub.step(USERS, 2, "viewer")
    await hub.step(CLIENTS, 2, "viewer")
    for name in ("two", "three"):
        hub.unsubscribe("room:a", page.subscription)
        await passes(3)
        # Who begins to watch meanwhile knows the user too, or would not hear of the end.
        assert [p.key for p in (await hub.step(USERS, 2, f"viewer {name}")).page.state] == ["ada"]
        page = await hub.subscribe("room:a", name, user="ada")
        await passes(9)
    assert [p.key for p in hub.sink.publications] == ["one", "two", "two", "three"], "connections come and go at once"
    hub.unsubscribe("room:a", page.subscription)
    await passes(6)
    assert keys(hub.sink.publications)[4:] == [("three", True), ("ada", True)]


@in_world
async def test_many_who_come_at_once_cost_a_message_per_interval(world, hub):
    watching = await world.process("watching")
    await watching.step(CLIENTS, 2, "viewer")
    await watching.step(USERS, 2, "viewer")
    messages, hear = [], watching.sink.on_publications
    watching.sink.on_publications = lambda channel, pubs: messages.append((channel, len(pubs))) or hear(channel, pubs)
    for number in range(501):
        await hub.subscribe("room:a", f"early {number}", presence=False)
    coming = [hub.subscribe("room:a", f"c{number:04}", user="ada") for number in range(1_500)]
    held = await asyncio.gather(*coming)
    for visit in held[:500]:
        hub.unsubscribe("room:a", visit.subscription)
    await passes(30)
    assert messages[0] == (CLIENTS, 100), "at most the limit or a tenth"
    assert len(messages) < 15
    # Who came and went is not mentioned, and one user is one key.
    assert sum(count for _, count in messages) == 1_001
    assert {p.key for p in watching.sink.publications} == {"ada"} | {f"c{number:04}" for number in range(500, 1_500)}
    page = (await hub.step(CLIENTS, 2, "late", limit=2_000)).page
    assert len(page.state) == 1_000


@in_world
async def test_pages_and_what_changed_between_them_make_the_whole(world, hub):
    held = {name: await hub.subscribe("room:a", name) for name in "fdbace"}
    first = await hub.step(CLIENTS, 2, "viewer", limit=2)
    assert (first.page.phase, [p.key for p in first.page.state]) == (2, ["a", "b"])
    hub.unsubscribe("room:a", held["a"].subscription)
    hub.unsubscribe("room:a", held["d"].subscription)
    await hub.subscribe("room:a", "aa")
    second = await hub.step(CLIENTS, 2, "viewer", limit=2, cursor=first.page.cursor, since=first.page.since)
    assert [p.key for p in second.page.state] == ["c", "e"]
    last = await hub.step(CLIENTS, 2, "viewer", limit=2, cursor=second.page.cursor, since=first.page.since)
    assert (last.page.phase, [p.key for p in last.page.state]) == (0, ["f"])
    assert keys(last.page.changes) == [("a", True), ("d", True), ("aa", False)]


@in_world
async def test_any_interleaving_of_pages_and_changes_ends_with_who_is_there(world, hub):
    rng = random.Random(7)
    held = {}
    for _ in range(20):
        seen, since, cursor, start = set(), None, "", 0
        while True:
            for _ in range(rng.randrange(6)):
                name = f"c{rng.randrange(30):02}"
                if name in held:
                    hub.unsubscribe("room:a", held.pop(name).subscription)
                else:
                    held[name] = await hub.subscribe("room:a", name)
            reply = await hub.step(CLIENTS, 2, "viewer", limit=3, cursor=cursor, since=since, start=start)
            seen |= {p.key for p in reply.page.state}
            since, cursor, start = reply.page.since, reply.page.cursor, reply.page.start
            if reply.page.phase == 0:
                break
        for change in reply.page.changes:
            (seen.discard if change.removed else seen.add)(change.key)
        assert seen == set(held)
        hub.unsubscribe(CLIENTS, reply.subscription)
        await passes(0.1)


@in_world
async def test_a_process_that_is_gone_leaves_with_all_its_keys(world, hub):
    await hub.step(CLIENTS, 2, "viewer")
    other = await world.process("other")
    await other.subscribe("room:a", "ada")
    await other.subscribe("room:a", "bob")
    await other.brokers.stop()
    await passes(LEASE_S + 2)
    assert sorted(keys(hub.sink.publications)[2:]) == [("ada", True), ("bob", True)]


@in_world
async def test_after_a_restart_it_is_read_again_once_the_shard_knows(world, hub):
    other = await world.process("other")
    await other.subscribe("room:a", "ada")
    before = await hub.step(CLIENTS, 2, "viewer")
    NoDatabase.hubs = ("hub", "other", "late")
    try:
        await world.restart()
        await hub.brokers.wait_attached()
        await passes(2)
        assert ("insufficient", CLIENTS) in hub.sink.heard
        await refused(hub.step(CLIENTS, 2, "viewer"), 100)
        await passes(LEASE_S + 2)
    finally:
        NoDatabase.hubs = ()
    again = await hub.step(CLIENTS, 2, "viewer")
    assert again.position.epoch != before.position.epoch
    assert [p.key for p in again.page.state] == ["ada"]


@in_world
async def test_nobody_writes_it_and_its_stream_is_nobodys(world, hub):
    await hub.subscribe("room:a", "ada")
    live = await hub.step(CLIENTS, 2, "viewer")
    await refused(hub.change(CLIENTS, "mallory", 1), 107)
    await refused(hub.brokers.publish(PublishRequest(CLIENTS, b"1", "p")), 107)
    await refused(hub.brokers.map_clear(CLIENTS), 107)
    await refused(hub.brokers.map_read(CLIENTS, limit=5), 107)
    await refused(hub.step(CLIENTS, 1, "v", since=live.position), 107)
    await refused(hub.step("$clients:$users:room:a", 2, "v"), 107)
    await refused(hub.step("$clients:nowhere:a", 2, "v"), 102)
    await refused(hub.brokers.presence(CLIENTS), 108)
    assert set(await hub.brokers.presence("room:a")) == {"ada"}


@in_world
async def test_a_second_subscription_of_a_connection_changes_only_what_it_brings(world, hub):
    await hub.subscribe("room:a", "ada", user="u")
    await hub.step(CLIENTS, 2, "viewer")
    await hub.subscribe("room:a", "ada", user="u")
    await passes(1)
    assert hub.sink.publications == []


@in_world
async def test_anonymous_connections_are_clients_and_no_user(world, hub):
    anonymous = ClientInfo("", "nobody")
    await hub.subscribe("room:a", "ada")
    channel = world.shard.table.find("room:a")
    subscriber = next(iter(channel.hubs["hub"].subscribers.values()))
    info = type(subscriber.info)(anonymous.user, anonymous.client)
    stream = channel.hubs["hub"].stream
    world.shard.registry.add(channel, stream, type(subscriber)(99, info, True, False))
    assert [p.key for p in (await hub.step(CLIENTS, 2, "v")).page.state] == ["ada", "nobody"]
    assert [p.key for p in (await hub.step(USERS, 2, "w")).page.state] == ["user of ada"]
    world.shard.registry.remove(channel, "hub", 99)
    await passes(1)
    assert keys(hub.sink.publications) == [("nobody", True)]
