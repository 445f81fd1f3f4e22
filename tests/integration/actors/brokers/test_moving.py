"""Buckets move between shards under load: nothing acknowledged is lost, doubled or reordered, no break is told."""

import asyncio
import itertools
from uuid import uuid4

import msgspec
import pytest

from actors.brokers import resizing
from actors.brokers.carrying import Move
from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.brokers.moving import MoveFailed
from actors.links.placement import bucket_of
from cluster.names import BUCKETS
from tests.fixtures.brokers import Shards
from tests.fixtures.waiting import eventually


@pytest.fixture
async def shards(database_url):
    world = Shards(database_url)
    await world.open(0, 1)
    yield world
    await world.close()


async def resize(world, count):
    said = []
    await resizing.resize(count, call=world.call, open_shard=world.open, close_shard=world.close_shard, say=said.append)
    return said


async def move(world, channel, source, target):
    await world.open(target)
    order = msgspec.msgpack.encode(Move([bucket_of(channel)], target))
    await world.call(source, "move", order, 10.0)


def heard_of(process, channel):
    return [(entry[3], entry[2]) for entry in process.sink.of("pub") if entry[1] == channel]


class Load:
    """Publishers that go on until told to stop; what was acknowledged, in their order."""

    def __init__(self, processes, channels):
        self.stop = asyncio.Event()
        self.acknowledged = {channel: [] for channel in channels}
        self.failed = []
        self.tasks = [asyncio.create_task(self.work(p, c)) for p in processes for c in channels]

    async def work(self, process, channel):
        for number in itertools.count():
            if self.stop.is_set():
                return
            name = f"{id(process)}.{number}"
            try:
                position = await process.publish(channel, name)
            except BrokerError as refusal:
                self.failed.append((channel, name, refusal))
            else:
                self.acknowledged[channel].append((position.offset, name))

    def count(self):
        return min(len(names) for names in self.acknowledged.values())

    async def flows(self, more=10):
        before = self.count()
        await eventually(lambda: self.count() >= before + more, 20.0)

    async def end(self):
        self.stop.set()
        await asyncio.gather(*self.tasks)


async def test_shards_are_added_and_removed_under_load(shards):
    channels = [f"{kind}:{uuid4()}" for kind in ("big", "ledger") for _ in range(6)]
    hub, *publishers = [await shards.process(name) for name in ("hub", "one", "two")]
    positions = {channel: (await hub.subscribe(channel)).position for channel in channels}
    load = Load(publishers, channels)
    await load.flows()
    for count in (3, 2, 4, 1):
        await resize(shards, count)
        assert set(shards.shards) == set(range(count))
        await load.flows()
    await load.end()
    assert load.failed == []
    assert hub.sink.of("insufficient") == []
    for channel in channels:
        acknowledged = sorted(load.acknowledged[channel])
        assert [offset for offset, _ in acknowledged] == list(range(1, len(acknowledged) + 1))
        await eventually(lambda channel=channel, many=acknowledged: len(heard_of(hub, channel)) >= len(many))
        assert heard_of(hub, channel) == acknowledged, "each once, in order"
        late = await publishers[0].subscribe(channel, "late", since=positions[channel], recovery_limit=10_000)
        assert late.position.epoch == positions[channel].epoch, "a planned move keeps the epoch"
    owners = await resizing.owners_of(shards.call)
    assert len(owners) == BUCKETS
    assert set(owners.values()) == {0}


async def test_everything_of_a_memory_channel_goes_along(shards):
    channel = "room:a"
    one, two = await shards.process("one"), await shards.process("two")
    await one.subscribe(channel, "c1")
    await two.subscribe(channel, "c2")
    for n in range(7):
        position = await one.publish(channel, n, idempotency_key=f"k{n}", version=n + 1)
    await move(shards, channel, 0, 1)
    assert (await two.publish(channel, "again", idempotency_key="k3")).offset == 4, "idempotency keys are known"
    assert (await two.publish(channel, "old", version=3)).offset == 7, "so are versions"
    read = await two.brokers.history(HistoryRequest(channel, limit=-1))
    assert [p.data for p in read.publications] == [b"2", b"3", b"4", b"5", b"6"]
    assert read.position == position
    await eventually(lambda: one.sink.of("join") != [])
    presence = await one.brokers.presence(channel)
    assert set(presence) == {"c1", "c2"}
    recovered = await two.subscribe(channel, "c3", since=StreamPosition(position.epoch, 4))
    assert [p.data for p in recovered.publications] == [b"4", b"5", b"6"]
    assert [e for e in one.sink.heard if e[0] == "leave"] == [], "nobody left because of the move"
    assert [e[2] for e in one.sink.of("join") if e[2] == "c2"] == ["c2"], "and nobody joined again"
    assert bucket_of(channel) not in shards.shards[0].ownership.owned
    assert channel not in shards.shards[0].table.channels


async def test_keys_of_a_map_expire_where_they_have_gone(shards):
    one = await shards.process("one")
    await one.change("board:a", "k", 1, ttl_s=2)
    await move(shards, "board:a", 0, 1)
    assert await one.keys("board:a") == {"k": "1"}
    await eventually(lambda: _is_empty(one, "board:a"))


async def _is_empty(process, channel):
    return await process.keys(channel) == {}


async def test_a_shard_that_does_not_answer_gets_nothing(shards):
    process = await shards.process("one")
    await process.publish("room:a", 1)
    order = msgspec.msgpack.encode(Move([bucket_of("room:a")], 7))
    with pytest.raises(MoveFailed, match="shard 7 does not answer"):
        await shards.call(0, "move", order, 10.0)
    assert (await process.publish("room:a", 2)).offset == 2


async def test_what_cannot_be_carried_over_begins_anew_and_says_so(shards):
    process = await shards.process("one")
    await process.subscribe("room:a")
    await process.subscribe("ledger:a")
    for channel in ("room:a", "ledger:a"):
        before = await process.publish(channel, 1)
    shards.fault = lambda shard, method: "error" if method == "land" else ""
    await move(shards, "room:a", 0, 1)
    await move(shards, "ledger:a", 0, 1)
    shards.fault = lambda shard, method: ""
    await eventually(lambda: ("insufficient", "room:a") in process.sink.heard, 20.0)

    async def published(channel):
        return await process.publish(channel, 2)

    fresh = await eventually(lambda: published("room:a"), 20.0, retry_on=(BrokerError,))
    assert fresh.offset == 1
    durable = await eventually(lambda: published("ledger:a"), 20.0, retry_on=(BrokerError,))
    assert durable == StreamPosition(before.epoch, 2), "the database has the durable ones"
    assert ("insufficient", "ledger:a") not in process.sink.heard


async def test_an_order_whose_answer_is_lost_can_be_given_again(shards):
    process = await shards.process("one")
    await process.publish("room:a", 1)
    shards.fault = lambda shard, method: "lost reply" if method in ("move",) else ""
    with pytest.raises(ConnectionError):
        await move(shards, "room:a", 0, 1)
    shards.fault = lambda shard, method: ""
    await move(shards, "room:a", 0, 1)
    assert (await process.publish("room:a", 2)).offset == 2


async def test_a_new_client_finds_what_was_moved_before_it_came(shards):
    first = await shards.process("one")
    position = await first.publish("room:a", 1)
    await move(shards, "room:a", 0, 1)
    second = await shards.process("two")
    assert (await second.publish("room:a", 2)) == StreamPosition(position.epoch, 2)
    await second.subscribe("room:a", "c2")
    await eventually(lambda: second.brokers.channels())
    assert await second.brokers.channels() == {"room:a": 1}


async def test_after_a_restart_a_shard_owns_what_the_rows_say(shards):
    process = await shards.process("one")
    await process.publish("ledger:a", 1)
    await move(shards, "ledger:a", 0, 1)
    for number in (0, 1):
        await shards.close_shard(number)
    await shards.open(0, 1)
    await eventually(lambda: 1 in shards.shards, 20.0)

    async def published():
        return await process.publish("ledger:a", 2)

    assert (await eventually(published, 20.0, retry_on=(BrokerError,))).offset >= 2
    assert bucket_of("ledger:a") in shards.shards[1].ownership.owned
    assert bucket_of("ledger:a") not in shards.shards[0].ownership.owned


async def test_presence_as_a_map_begins_anew_where_its_channel_goes(shards):
    channel, view = "room:a", "$clients:room:a"
    hub, other = await shards.process("hub"), await shards.process("other")
    await other.subscribe(channel, "ada")
    before = await hub.step(view, 2, "viewer")
    await move(shards, channel, 0, 1)
    await eventually(lambda: ("insufficient", view) in hub.sink.heard)
    hub.unsubscribe(view, before.subscription)
    again = await hub.step(view, 2, "viewer")
    assert again.position.epoch != before.position.epoch
    assert [entry.key for entry in again.page.state] == ["ada"]
    await other.subscribe(channel, "bob")
    await eventually(lambda: [p.key for p in hub.sink.publications][-1:] == ["bob"])
