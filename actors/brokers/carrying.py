"""What a channel takes along when its bucket moves to another shard, and how it is put together again there.

Memory channels take everything: position, publications with their age, idempotency keys, conditions, a map's keys.
Durable ones only take who is in them; the rest is in the database. Times travel as what is left of them.
"""

import msgspec

from actors.brokers.channel import Channel, HubInterest
from actors.brokers.map_state import NEVER, Value
from actors.brokers.memory import Memory
from actors.brokers.presence import Registry
from actors.brokers.wire import Subscriber
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces


class Arriving(msgspec.Struct, array_like=True, frozen=True):
    """Buckets that are about to come. Answered by the name of the incarnation that they come to."""

    buckets: list[int]


class Move(msgspec.Struct, array_like=True, frozen=True):
    """An order to move buckets to another shard."""

    buckets: list[int]
    shard: int


class CarriedKey(msgspec.Struct, array_like=True, frozen=True):
    """A key of a map. `left_s` is negative for one that does not expire."""

    key: str
    pub: bytes
    data: bytes
    offset: int
    score: int
    version: int
    version_epoch: str
    left_s: float
    tags: dict[str, str] | None = None


class Carried(msgspec.Struct, array_like=True, frozen=True):
    """One channel."""

    name: str
    epoch: str
    top: int
    ring: list[tuple[float, bytes]]
    """(age in seconds, publication), the oldest first; they end at `top`."""
    keys: list[tuple[str, int, str, float]]
    """(idempotency key, offset, epoch, seconds left)."""
    version: int
    version_epoch: str
    map: list[CarriedKey]
    hubs: list[tuple[str, list[Subscriber]]]
    """Boot id of each process that listens, and its subscriptions."""


class Landing(msgspec.Struct, array_like=True, frozen=True):
    """Channels of buckets that were announced; `last`: there are no more."""

    buckets: list[int]
    channels: list[Carried]
    last: bool


def pack(channel: Channel, registry: Registry, now: float) -> Carried:
    """A channel as it is."""
    hubs = registry.subscribers(channel)
    if channel.rules.durable:
        return Carried(channel.name, "", 0, [], [], 0, "", [], hubs)
    values = [] if channel.map is None else list(channel.map.values.items())
    return Carried(
        channel.name,
        channel.epoch,
        channel.top,
        channel.ring.ages(now),
        [(key, offset, epoch, expires - now) for key, (offset, epoch, expires) in channel.keys.items()],
        channel.version,
        channel.version_epoch,
        [
            CarriedKey(
                key,
                value.pub,
                value.data,
                value.offset,
                value.score,
                value.version,
                value.version_epoch,
                -1.0 if value.expires == NEVER else value.expires - now,
                value.tags,
            )
            for key, value in values
        ],
        hubs,
    )


def unpack(carried: Carried, namespaces: Namespaces, registry: Registry, memory: Memory, now: float) -> Channel:
    """The channel again. Its subscriptions wait, silently, for their processes to register them."""
    channel = Channel(carried.name, namespaces.for_channel(carried.name), now, memory=memory)
    if not channel.rules.durable:
        channel.epoch, channel.top = carried.epoch, carried.top
        channel.ring.clear(carried.top - len(carried.ring))
        for age, pub in carried.ring:
            channel.ring.append(pub, now - age)
        channel.keys = {key: (offset, epoch, now + left) for key, offset, epoch, left in carried.keys}
        for name in channel.keys:
            memory.take(len(name))
        channel.version, channel.version_epoch = carried.version, carried.version_epoch
        if channel.map is not None:
            for key in carried.map:
                expires = NEVER if key.left_s < 0 else now + key.left_s
                condition = (key.score, key.version, key.version_epoch)
                channel.map.put(key.key, Value(key.pub, key.data, key.offset, *condition, expires, key.tags))
    for boot, subscribers in carried.hubs:
        interest = HubInterest(ClientStream(boot, 0, lambda _: b"", now))
        interest.subscribers = {subscriber.subscription: subscriber for subscriber in subscribers}
        registry.adopt(channel, boot, interest)
    return channel
