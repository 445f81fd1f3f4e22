"""Joins and leaves: at once in small channels, as net differences in large ones and after a rebuild."""

import msgspec

from actors.brokers.announcing import Announcer
from actors.brokers.channel import Channel, HubInterest
from actors.brokers.contract import ClientInfo
from actors.brokers.items import Difference, Item
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from tests.fixtures.simulation import passes, simulate

RULES = Namespaces.parse(
    """
namespaces:
  room:
    presence: true
    join_leave: true
    join_leave_threshold: 10
    join_leave_interval_ms: 1000
    join_leave_limit: 20
"""
)


class World:
    """One channel with so many listeners in one process."""

    def __init__(self, listeners: int) -> None:
        self.announcer = Announcer(lambda _: self.channel)
        self.channel = Channel("room:a", RULES.for_channel("room:a"), 0.0)
        self.stream = ClientStream("hub", 1, str.encode, 0.0)
        interest = self.channel.hubs["hub"] = HubInterest(self.stream)
        for number in range(listeners):
            interest.subscribers[number] = Subscriber(number, ClientInfo("u", f"l{number}"), True, True)

    def tell(self, client: str, *, joined: bool) -> None:
        self.announcer.tell(self.channel, ClientInfo("u", client), joined=joined)

    def told(self) -> list[object]:
        cursor, items = self.stream.take(10**9)
        self.stream.trim(cursor)
        decoded = [msgspec.msgpack.decode(item, type=Item) for item in items]
        return [
            ([info.client for info in item.joined], [info.client for info in item.left])
            if isinstance(item, Difference)
            else (type(item).__name__, item.info.client)
            for item in decoded
        ]


def test_a_small_channel_is_told_at_once():
    world = World(10)
    world.tell("a", joined=True)
    world.tell("a", joined=False)
    assert world.told() == [("Joined", "a"), ("Left", "a")]


def test_a_large_channel_is_told_the_net_difference_once_per_interval():
    async def scenario():
        world = World(11)
        world.tell("stays", joined=True)
        world.tell("visits", joined=True)
        world.tell("visits", joined=False)
        world.tell("goes", joined=False)
        world.tell("blinks", joined=False)
        world.tell("blinks", joined=True)
        assert world.told() == []
        await passes(0.9)
        assert world.told() == []
        await passes(0.2)
        assert world.told() == [(["stays"], ["goes"])]
        world.tell("visits", joined=True)
        world.tell("visits", joined=False)
        await passes(2)
        assert world.told() == []

    simulate(scenario())


def test_more_than_the_limit_is_a_sample_in_proportion():
    async def scenario():
        world = World(11)
        for number in range(300):
            world.tell(f"j{number}", joined=True)
        for number in range(100):
            world.tell(f"g{number}", joined=False)
        await passes(1.1)
        ((joined, left),) = world.told()
        assert (len(joined), len(left)) == (15, 5)
        assert len(set(joined)) == 15

    simulate(scenario())


def test_a_rebuilding_shard_tells_nothing_and_then_what_changed():
    world = World(1)
    world.announcer.rebuilding = True
    world.tell("new", joined=True)
    world.tell("gone", joined=False)
    world.tell("back", joined=False)
    world.tell("back", joined=True)
    assert world.told() == []
    world.announcer.rebuilt()
    assert world.told() == [(["new"], ["gone"])]
    world.tell("later", joined=True)
    assert world.told() == [("Joined", "later")]


def test_ten_thousand_members_cost_differences_and_not_announcements():
    """Counted, not timed: items and bytes that one hub is sent while a tenth of a channel of 10,000 comes and goes."""

    async def scenario(threshold):
        world = World(10_000)
        world.channel.rules = msgspec.structs.replace(world.channel.rules, join_leave_threshold=threshold)
        items = size = 0
        for _ in range(10):
            for number in range(100):
                world.tell(f"connection-{number:04}", joined=True)
                world.tell(f"connection-{number + 5_000:04}", joined=False)
            await passes(1.05)
            cursor, taken = world.stream.take(10**9)
            world.stream.trim(cursor)
            items += len(taken)
            size += sum(map(len, taken))
        return items, size

    each, gathered = simulate(scenario(0)), simulate(scenario(10))
    print(f"2000 changes, one hub: {each[0]} items of {each[1]} bytes; gathered: {gathered[0]} of {gathered[1]}")
    assert each[0] == 2_000
    assert gathered[0] == 10
    assert gathered[1] < each[1] / 10
