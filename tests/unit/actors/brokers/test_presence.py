"""Registration by process: whatever happens, presence is what is subscribed, and joins and leaves add up."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.brokers.channel import Channel
from actors.brokers.contract import ClientInfo
from actors.brokers.items import Difference, Item, Joined, Left
from actors.brokers.presence import Registry
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES

RULES = Namespaces.parse(NAMESPACES)


def subscriber(number, client=None, *, presence=True):
    return Subscriber(number, ClientInfo("u", client or f"c{number}"), presence, presence)


class World:
    def __init__(self):
        self.channels = {name: Channel(name, RULES.for_channel(name), 0.0) for name in ("room:a", "room:b")}
        self.registry = Registry(self.channels.get)
        self.sessions = {}
        self.watcher = self.stream("watcher")
        for channel in self.channels.values():
            self.registry.add(channel, self.watcher, subscriber(0, "watcher", presence=False))

    def stream(self, boot):
        self.sessions[boot] = self.sessions.get(boot, 0) + 1
        return ClientStream(boot, self.sessions[boot], str.encode, 0.0)

    def subscribe(self, name, stream, who):
        if self.registry.add(self.channels[name], stream, who):
            self.registry.join(self.channels[name], who)

    def told(self):
        cursor, items = self.watcher.take(10**9)
        self.watcher.trim(cursor)
        decoded = [msgspec.msgpack.decode(item, type=Item) for item in items]
        return [(type(item).__name__, item.channel, item.info.client) for item in decoded]


def test_counts_are_connections_with_a_glob():
    world = World()
    hub = world.stream("hub")
    world.subscribe("room:a", hub, subscriber(1))
    world.subscribe("room:a", hub, subscriber(2))
    channels = world.channels.values()
    assert world.registry.counts(channels, "") == {"room:a": 3, "room:b": 1}
    assert world.registry.counts(channels, "*:b") == {"room:b": 1}


def test_a_dead_process_leaves_everything_and_nothing_of_it_stays():
    world = World()
    hub = world.stream("hub")
    world.subscribe("room:a", hub, subscriber(1))
    world.subscribe("room:b", hub, subscriber(2))
    world.told()
    world.registry.expire("hub")
    assert sorted(world.told()) == [("Left", "room:a", "c1"), ("Left", "room:b", "c2")]
    assert all(not channel.presence and list(channel.hubs) == ["watcher"] for channel in world.channels.values())
    assert "hub" not in world.registry._held
    assert "hub" not in world.registry._orphans


def test_without_presence_joins_are_still_told_when_asked_for():
    world = World()
    hub = world.stream("hub")
    who = Subscriber(1, ClientInfo("u", "c"), presence=False, join_leave=True)
    world.subscribe("room:a", hub, who)
    world.registry.remove(world.channels["room:a"], "hub", 1)
    assert [kind for kind, _, _ in world.told()] == [Joined.__name__, Left.__name__]


@pytest.mark.parametrize("unknown", [("hub", 9), ("nobody", 1)])
def test_removing_what_is_not_there_changes_nothing(unknown):
    world = World()
    world.subscribe("room:a", world.stream("hub"), subscriber(1))
    world.told()
    world.registry.remove(world.channels["room:a"], *unknown)
    assert world.told() == []
    assert set(world.channels["room:a"].presence) == {"c1"}


def departed(world, boot, *clients):
    world.registry.departed(world.channels["room:a"], boot, [ClientInfo("u", client) for client in clients])


def test_who_the_roster_saw_leave_leaves_once_whoever_finds_out_first():
    world = World()
    hub = world.stream("hub")
    world.subscribe("room:a", hub, subscriber(1))
    world.subscribe("room:a", hub, subscriber(2))
    world.told()
    world.registry.expire("hub")
    assert sorted(world.told()) == [("Left", "room:a", "c1"), ("Left", "room:a", "c2")]
    departed(world, "hub", "c1", "c2")
    assert world.told() == []


def test_a_process_that_died_before_this_incarnation_began_has_its_leaves_told():
    """Only the roster knows of it: hub and shard died together."""
    world = World()
    alive = world.stream("alive")
    world.subscribe("room:a", alive, subscriber(1, "moved"))
    world.told()
    departed(world, "dead", "gone", "moved")
    assert world.told() == [("Left", "room:a", "gone")], "who is here by another process did not leave"


def test_whom_a_process_held_before_its_reset_departs_too():
    world = World()
    world.subscribe("room:a", world.stream("hub"), subscriber(1))
    world.registry.begin("hub")
    world.told()
    departed(world, "hub", "c1")
    world.registry.synced("hub")
    assert world.told() == [("Left", "room:a", "c1")]
    assert world.channels["room:a"].presence == {}


def test_a_rebuilding_shard_tells_departures_at_its_end():
    world = World()
    world.registry.announcer.rebuilding = True
    departed(world, "dead", "gone")
    world.registry.resume(world.channels["room:a"], world.stream("hub"), [subscriber(1)])
    assert world.told() == []
    world.registry.announcer.rebuilt()
    _, items = world.watcher.take(10**9)
    assert [msgspec.msgpack.decode(item, type=Item) for item in items] == [
        Difference("room:a", [], [ClientInfo("u", "gone")])
    ], "who was there before has not joined"


script = st.lists(
    st.tuples(
        st.sampled_from(["subscribe", "subscribe", "subscribe", "unsubscribe", "reset", "expire", "lapse"]),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["room:a", "room:b"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=200)
@given(script)
def test_presence_is_what_processes_hold_and_every_join_has_its_leave(steps):
    world = World()
    streams = {boot: world.stream(boot) for boot in ("one", "two")}
    held = {"one": {}, "two": {}}
    numbers = iter(range(1, 1000))
    for action, boot, name, client in steps:
        mine = held[boot]
        if action == "subscribe":
            # A connection belongs to one process, and holds a channel once.
            if any(n == name and who.info.client == f"{boot}{client}" for n, who in mine.values()):
                continue
            who = subscriber(next(numbers), f"{boot}{client}")
            mine[who.subscription] = (name, who)
            world.subscribe(name, streams[boot], who)
        elif action == "unsubscribe" and mine:
            number = sorted(mine)[client % len(mine)]
            channel, _ = mine.pop(number)
            world.registry.remove(world.channels[channel], boot, number)
        elif action == "reset":
            streams[boot] = world.stream(boot)
            world.registry.begin(boot)
            # One subscription ended while the process was cut off.
            if mine and client == 0:
                mine.pop(min(mine))
            for channel in {channel for channel, _ in mine.values()}:
                subscribers = [who for c, who in mine.values() if c == channel]
                world.registry.resume(world.channels[channel], streams[boot], subscribers)
            world.registry.synced(boot)
        elif action == "lapse":
            # The process lost its lease and lives on: everybody left, and comes again.
            world.registry.expire(boot)
            streams[boot] = world.stream(boot)
            for channel in {channel for channel, _ in mine.values()}:
                subscribers = [who for c, who in mine.values() if c == channel]
                world.registry.resume(world.channels[channel], streams[boot], subscribers)
            world.registry.synced(boot)
        elif action == "expire":
            world.registry.expire(boot)
            mine.clear()
            streams[boot] = world.stream(boot)
    expected = {
        name: {who.info.client for mine in held.values() for n, who in mine.values() if n == name}
        for name in world.channels
    }
    assert {name: set(channel.presence) for name, channel in world.channels.items()} == expected
    assert all(sum(channel.users.values()) == len(channel.presence) for channel in world.channels.values())
    inside: dict[str, set[str]] = {"room:a": set(), "room:b": set()}
    for kind, name, client in world.told():
        if kind == "Joined":
            assert client not in inside[name], "joined twice"
            inside[name].add(client)
        else:
            assert client in inside[name], "left without being there"
            inside[name].remove(client)
    assert inside == expected
