"""A channel is the same after it was packed and unpacked, only later."""

import msgspec

from actors.brokers.carrying import Carried, pack, unpack
from actors.brokers.channel import Channel, HubInterest
from actors.brokers.contract import ClientInfo
from actors.brokers.map_state import NEVER, Value
from actors.brokers.memory import Memory
from actors.brokers.presence import Registry
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from tests.fixtures.brokers import NAMESPACES

RULES = Namespaces.parse(NAMESPACES)


def carried(channel, now, then):
    there = Registry({channel.name: channel}.get)
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(pack(channel, there, now)), type=Carried)
    channels = {}
    registry = Registry(channels.get)
    channels[channel.name] = unpack(packed, RULES, registry, Memory(), then)
    return channels[channel.name], registry


def test_a_memory_channel_takes_everything_along():
    channel = Channel("room:a", RULES.for_channel("room:a"), 0.0)
    for offset in range(1, 8):
        channel.accept(offset, channel.epoch, str(offset).encode(), now=float(offset))
    channel.remember("key", 3, channel.epoch, now=5.0)
    channel.version, channel.version_epoch = 9, "v"
    came, _ = carried(channel, now=10.0, then=1_000.0)
    assert (came.epoch, came.top, came.ring.top, came.ring.base) == (channel.epoch, 7, 7, 2)
    assert came.ring.after(2) == [b"3", b"4", b"5", b"6", b"7"]
    came.ring.expire(1_000.0 + 55.5)
    assert came.ring.after(0) == [b"6", b"7"], "age goes along"
    assert came.idempotent("key", 1_000.0 + 294) == (3, channel.epoch)
    assert came.idempotent("key", 1_000.0 + 296) is None
    assert came.is_stale(9, "v")
    assert not came.is_stale(10, "v")


def test_keys_of_a_map_keep_tags_and_what_is_left_of_their_time():
    channel = Channel("board:a", RULES.for_channel("board:a"), 0.0)
    channel.map.put("k", Value(b"pub", b"1", 1, 2, 3, "e", 30.0, {"t": "x"}))
    channel.map.put("l", Value(b"pub", b"1", 2))
    came, _ = carried(channel, now=10.0, then=1_000.0)
    assert came.map.values["k"] == Value(b"pub", b"1", 1, 2, 3, "e", 1_020.0, {"t": "x"})
    assert came.map.values["l"].expires == NEVER


def test_a_durable_channel_takes_only_who_is_in_it():
    channel = Channel("ledger:a", RULES.for_channel("ledger:a"), 0.0)
    channel.epoch, channel.top, channel.loaded = "e", 5, True
    subscriber = Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=True)
    channel.hubs["hub"] = HubInterest(ClientStream("hub", 1, lambda _: b"", 0.0), {1: subscriber})
    came, registry = carried(channel, now=10.0, then=1_000.0)
    assert (came.epoch, came.top, came.loaded) == ("", 0, False)
    assert set(came.presence) == {"c"}, "still there until its process says otherwise"
    assert came.hubs == {}, "nothing is sent to a process that has not registered here"
    registry.resume(came, ClientStream("hub", 2, lambda _: b"", 0.0), [subscriber])
    registry.end_orphans(came.name)
    assert set(came.presence) == {"c"}


def test_who_does_not_register_again_has_left():
    channel = Channel("room:a", RULES.for_channel("room:a"), 0.0)
    subscriber = Subscriber(1, ClientInfo("u", "c"), presence=True, join_leave=True)
    channel.hubs["hub"] = HubInterest(ClientStream("hub", 1, lambda _: b"", 0.0), {1: subscriber})
    came, registry = carried(channel, now=10.0, then=1_000.0)
    registry.end_orphans(came.name)
    assert came.presence == {}
