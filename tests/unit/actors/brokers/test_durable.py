"""Group commit: what becomes of a batch that Postgres refuses, in part, while everything else may fail too.

Over a real Postgres: tests/integration/actors/brokers/test_durable.py.
"""

import random

import pytest

from actors.brokers.actor import BrokerShard
from actors.brokers.channel import Channel
from actors.brokers.contract import BrokerError
from actors.brokers.durable import Committer
from actors.brokers.operations import Publish
from actors.links.stream import ClientStream
from actors.protocol.namespaces import Namespaces
from db.streams.errors import AlreadyKnown, Ambiguous, Busy, Refused
from db.streams.store import Head
from tests.fixtures.brokers import NAMESPACES, NOWHERE, Network, NoDatabase, Process
from tests.fixtures.simulation import passes, simulate

CHANNEL = "ledger:a"


class Store:
    """Rows of one channel. `fails(ids)` may return what comes of a commit: an error, and whether it was written."""

    def __init__(self):
        self.rows: list[str] = []
        self.offsets: list[int] = []
        self.keys: set[str] = set()
        self.asked: list[str] = []
        self.poison: set[str] = set()
        self.fails = lambda ids: None

    async def connect(self):
        pass

    def abandon(self):
        pass

    async def close(self):
        pass

    async def take_shard(self, shard, defaults, *, again):
        return 1, {}

    async def open(self, fence, buckets, channels, epochs, ttls):
        return [Head(CHANNEL, "e", len(self.rows), 0, "") for _ in channels]

    async def find(self, channels, ids):
        return {(CHANNEL, name): self.rows.index(name) + 1 for name in ids if name in self.rows}

    async def find_keys(self, channels, keys):
        self.asked += keys
        return {(CHANNEL, key): (1, "e") for key in keys if key in self.keys}

    async def map_keys(self, channels):
        return []

    async def commit(self, fence, commit):
        await passes(0.001)
        if self.poison & set(commit.ids):
            raise Refused("a value")
        if self.keys & {key for _, key, _, _ in commit.keys}:
            raise AlreadyKnown("a key")
        error, written = self.fails(commit.ids) or (None, True)
        if written:
            assert commit.offsets == [len(self.rows) + n + 1 for n in range(len(commit.ids))]
            self.rows += commit.ids
        if error is not None:
            raise error


class World:
    def __init__(self):
        self.store = Store()
        self.channel = Channel(CHANNEL, Namespaces.parse(NAMESPACES).for_channel(CHANNEL), 0.0)
        self.stream = ClientStream("hub", 1, lambda channel: b"", 0.0)
        self.committer = Committer(
            self.store,
            [self.channel.bucket],
            0,
            channels=lambda: [self.channel],
            on_loaded=lambda channel: None,
            on_deposed=lambda: None,
            wall_ms=lambda: 0,
        )
        self.channel.epoch, self.channel.loaded = "e", True

    async def publish(self, names):
        for number, name in enumerate(names):
            self.committer.publish(self.stream, self.channel, Publish(number, CHANNEL, b"x", name))
        await self.committer.start()
        await passes(10)
        await self.committer.stop()


NAMES = [f"p{n}" for n in range(8)]


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("poisoned", ["p1", "p6"])
@pytest.mark.parametrize("error", [Busy, Ambiguous])
def test_a_refused_batch_whose_parts_fail_is_whole_and_in_order(error, poisoned, written):
    async def main():
        world = World()
        world.store.poison = {poisoned}
        failures = iter([(error("now"), written and error is Ambiguous)])
        world.store.fails = lambda ids: next(failures, None) if "p0" in ids else None
        await world.publish(NAMES)
        assert world.store.rows == [name for name in NAMES if name != poisoned]
        assert world.channel.top == len(NAMES) - 1
        assert world.committer._in_flight == []

    simulate(main())


@pytest.mark.parametrize("seed", range(30))
def test_whatever_fails_nothing_is_lost_doubled_or_reordered(seed):
    dice = random.Random(seed)

    async def main():
        world = World()
        names = [f"p{n}" for n in range(60)]
        world.store.poison = set(dice.sample(names, 5))
        left = [3]

        def fails(ids):
            if left[0] and dice.random() < 0.5:
                left[0] -= 1
                error = dice.choice([Busy, Ambiguous])
                return error("now"), error is Ambiguous and dice.random() < 0.5
            return None

        world.store.fails = fails
        await world.publish(names)
        assert world.store.rows == [name for name in names if name not in world.store.poison]
        assert world.channel.top == len(world.store.rows)

    simulate(main())


def test_a_channel_that_takes_another_ones_place_while_its_head_is_read_gets_its_own():
    async def main():
        world = World()
        before = world.channel
        before.loaded = False
        successor = Channel(CHANNEL, before.rules, 0.0)
        open_heads = world.store.open

        async def replaced_meanwhile(*given):
            heads = await open_heads(*given)
            if not before.loaded:
                world.committer.load(successor)
            return heads

        world.store.open = replaced_meanwhile
        world.committer.load(before)
        await world.publish([])
        assert before.loaded
        assert successor.loaded

    simulate(main())


def test_what_came_after_a_batch_with_a_known_key_is_not_asked_about():
    async def main():
        world = World()
        world.store.keys = {"k"}
        commit = world.store.commit

        async def while_others_arrive(fence, made):
            if not world.store.asked:
                world.committer.publish(
                    world.stream, world.channel, Publish(9, CHANNEL, b"x", "later", idempotency_key="l")
                )
            await commit(fence, made)

        world.store.commit = while_others_arrive
        world.committer.publish(world.stream, world.channel, Publish(1, CHANNEL, b"x", "p", idempotency_key="k"))
        await world.publish([])
        assert world.store.asked == ["k"]
        assert world.store.rows == ["later"]

    simulate(main())


class Reachable(Store, NoDatabase):
    """Enough of a database for a whole shard."""

    async def open(self, fence, buckets, channels, epochs, ttls):
        return [Head(channel, "e", len(self.rows), 0, "") for channel in channels]

    async def take_shard(self, shard, defaults, *, again):
        return 1, dict.fromkeys(defaults, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"idempotency_key": "\0"},
        {"publication_id": "\0"},
        {"version": 1, "version_epoch": "\0"},
        {"skip_history": True, "idempotency_key": "k"},
        {"skip_history": True, "version": 1},
    ],
)
def test_what_no_row_can_hold_is_refused_before_it_is_among_others(options):
    async def main():
        store = Reachable()
        rules = Namespaces.parse(NAMESPACES)
        shard = BrokerShard(0, 1, NOWHERE, namespaces=rules, store=store, reader=NoDatabase())
        shard.committer.feed = None
        await shard.start()
        process = await Process(Network(shard)).start()
        with pytest.raises(BrokerError) as refused:
            await process.publish(CHANNEL, 1, **options)
        assert refused.value.code == 107
        assert store.rows == []
        await process.publish(CHANNEL, 1, idempotency_key="k", version=1)
        assert len(store.rows) == 1
        await process.publish(CHANNEL, 2, skip_history=True)
        assert len(store.rows) == 1
        await process.brokers.stop()
        await shard.stop()

    simulate(main())


@pytest.mark.parametrize(
    "error", [Ambiguous("away"), Busy("53300"), Refused("no such function"), RuntimeError("a bug")]
)
def test_memory_channels_do_not_wait_for_a_database_that_refuses(error):
    class Refusing(NoDatabase):
        async def connect(self):
            raise error

    async def main():
        shard = BrokerShard(
            0, 1, NOWHERE, namespaces=Namespaces.parse(NAMESPACES), store=Refusing(), reader=NoDatabase()
        )
        await shard.start()
        process = await Process(Network(shard)).start()
        assert (await process.publish("room:a", 1)).offset == 1
        await shard.stop()

    simulate(main())
