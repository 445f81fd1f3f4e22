"""Which buckets move: as few as possible, until everybody has an even share."""

import asyncio

import msgspec
import pytest

from actors.brokers import resizing
from actors.brokers.carrying import Move
from actors.brokers.resizing import GROUP, ResizeFailed, plan, resize, table
from cluster.names import BUCKETS
from tests.fixtures.simulation import simulate


def apply(owners, moves):
    for source, target, buckets in moves:
        for bucket in buckets:
            assert owners.get(bucket, 0) == source
            owners[bucket] = target
    return owners


@pytest.mark.parametrize("steps", [(1,), (2,), (3, 5, 2), (7, 1), (4, 4)])
def test_shares_are_even_and_nothing_moves_that_need_not(steps):
    owners = dict.fromkeys(range(BUCKETS), 0)
    shards = 1
    for wanted in steps:
        moves = plan(owners, wanted)
        moved = sum(len(buckets) for _, _, buckets in moves)
        assert all(0 < len(buckets) <= GROUP for _, _, buckets in moves)
        assert moved <= BUCKETS * abs(wanted - shards) // max(wanted, shards) + max(wanted, shards)
        owners = apply(owners, moves)
        counts = [list(owners.values()).count(shard) for shard in range(wanted)]
        assert sum(counts) == BUCKETS
        assert max(counts) - min(counts) <= 1
        shards = wanted
    assert plan(owners, shards) == []


def test_the_table_names_every_shard():
    assert table({0: 0, 1: 0, 2: 3}).splitlines() == ["shard 0: 2 of 1024 buckets", "shard 3: 1 of 1024 buckets"]


class Cluster:
    def __init__(self):
        self.owners = dict.fromkeys(range(BUCKETS), 0)
        self.opened, self.closed, self.said = [], [], []
        self.failing = self.unread = 0
        self.followed = True

    async def call(self, shard, method, payload, timeout_s):
        if method == "owners":
            return msgspec.msgpack.encode(self.owners)
        if method == "followed":
            if self.unread:
                self.unread -= 1
                raise ConnectionError("away")
            return msgspec.msgpack.encode(self.followed)
        if self.failing:
            self.failing -= 1
            raise ConnectionError("away")
        order = msgspec.msgpack.decode(payload, type=Move)
        self.owners.update(dict.fromkeys(order.buckets, order.shard))
        return b""

    async def open(self, shard, shards):
        self.opened.append(shard)

    async def close(self, shard):
        self.closed.append(shard)
        assert self.unread == 0

    async def hosted(self):
        return set(self.opened) - set(self.closed)

    async def resize(self, shards):
        await resize(
            shards,
            call=self.call,
            open_shard=self.open,
            close_shard=self.close,
            say=self.said.append,
            hosted=self.hosted,
        )


def test_shards_are_opened_first_and_closed_last_and_failures_are_tried_again():
    async def main():
        cluster = Cluster()
        cluster.failing = resizing.TRIES - 1
        await cluster.resize(3)
        assert cluster.opened == [0, 1, 2]
        assert set(cluster.owners.values()) == {0, 1, 2}
        await cluster.resize(1)
        assert cluster.closed == [1, 2]
        assert set(cluster.owners.values()) == {0}

    simulate(main())


def test_a_shard_ends_when_those_who_listen_have_followed():
    async def main():
        cluster = Cluster()
        await cluster.resize(2)
        cluster.unread = 3
        await cluster.resize(1)
        assert cluster.closed == [1]

    simulate(main())


def test_what_a_run_that_was_cut_off_left_behind_is_ended_by_the_next():
    async def main():
        cluster = Cluster()
        await cluster.resize(3)
        cluster.owners = dict.fromkeys(range(BUCKETS), 0)
        await cluster.resize(1)
        assert cluster.closed == [1, 2]
        await cluster.resize(1)
        assert cluster.closed == [1, 2]

    simulate(main())


def test_a_shard_that_nobody_follows_ends_all_the_same():
    async def main():
        cluster = Cluster()
        await cluster.resize(2)
        cluster.followed = False
        before = asyncio.get_running_loop().time()
        await cluster.resize(1)
        assert cluster.closed == [1]
        assert asyncio.get_running_loop().time() - before < resizing.FOLLOWED_S + 1

    simulate(main())


def test_a_move_that_never_comes_about_is_said():
    async def main():
        cluster = Cluster()
        cluster.failing = 10_000
        with pytest.raises(ResizeFailed, match="from shard 0 to shard 1"):
            await cluster.resize(2)

    simulate(main())
