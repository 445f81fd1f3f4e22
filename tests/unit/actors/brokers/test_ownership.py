"""Operations for buckets that are ours, are moving, or are somebody else's."""

import asyncio

import msgspec

from actors.brokers.items import Item
from actors.brokers.operations import HistoryRemove, Unsubscribe
from actors.brokers.ownership import ARRIVES_WITHIN_S, HELD_WITHIN_S, Ownership
from actors.links.placement import bucket_of
from actors.links.stream import ClientStream
from tests.fixtures.simulation import passes, simulate

CHANNEL = "room:a"
BUCKET = bucket_of(CHANNEL)


class Shard:
    def __init__(self, owned=(BUCKET,)):
        self.ownership = Ownership(0, owned)
        self.done, self.refused, self.located = [], [], []
        self.ownership.carry_out = lambda stream, ops: self.done.extend(op.request for op in ops)
        self.ownership.refuse = lambda stream, op: self.refused.append(op.request)
        self.ownership.locate = lambda: self.located.append(True)
        self.ownership.begin()
        self.stream = ClientStream("hub", 1, lambda channel: b"", 0.0)

    def ask(self, request, seen=None):
        seen = self.stream.top if seen is None else seen
        if self.ownership.admits(self.stream, HistoryRemove(request, CHANNEL), seen):
            self.done.append(request)

    @property
    def marks(self):
        return [msgspec.msgpack.decode(item, type=Item) for item in self.stream.take()[1]]


def test_until_the_database_has_answered_everything_waits():
    async def main():
        shard = Shard()
        shard.ownership.known = False
        shard.ask(1)
        assert shard.done == []
        shard.ownership.taken([BUCKET])
        assert shard.done == [1]

    simulate(main())


def test_what_comes_while_a_bucket_is_frozen_waits_and_is_the_new_owners():
    async def main():
        shard = Shard()
        shard.ask(1)
        shard.ownership.frozen.add(BUCKET)
        shard.ask(2)
        shard.ownership.left([BUCKET], 3)
        shard.ownership.mark(shard.stream, [BUCKET], 3)
        assert shard.done == [1]
        [mark] = shard.marks
        assert (mark.buckets, mark.shard) == ([BUCKET], 3)
        shard.ask(2, seen=0)
        assert len(shard.marks) == 1, "sent before the mark was read: its sender sends it again by itself"
        shard.ask(4)
        assert len(shard.marks) == 2, "sent to the wrong shard after it: told again"

    simulate(main())


def test_a_move_that_comes_to_nothing_lets_everything_go_on_in_order():
    async def main():
        shard = Shard()
        shard.ownership.frozen.add(BUCKET)
        for request in (1, 2, 3):
            shard.ask(request)
        shard.ownership.thaw([BUCKET])
        assert shard.done == [1, 2, 3]

    simulate(main())


def test_a_bucket_that_came_back_does_not_take_what_was_sent_before_it_went():
    async def main():
        shard = Shard()
        shard.ownership.left([BUCKET], 3)
        shard.ownership.mark(shard.stream, [BUCKET], 3)
        shard.ownership.expect([BUCKET])
        shard.ownership.taken([BUCKET])
        shard.ownership.arrived([BUCKET])
        shard.ask(1, seen=0)
        assert shard.done == [], "its sender has sent it to shard 3, which answers that it is here"
        shard.ask(2)
        assert shard.done == [2]

    simulate(main())


def test_an_announced_bucket_holds_operations_until_it_is_there():
    async def main():
        shard = Shard(owned=())
        shard.ownership.expect([BUCKET])
        shard.ask(1)
        shard.ownership.taken([BUCKET])
        assert shard.done == [], "owned, but what it brings is still under way"
        shard.ownership.arrived([BUCKET])
        assert shard.done == [1]
        assert shard.ownership.settled == {BUCKET}

    simulate(main())


def test_what_waits_too_long_is_answered_and_late_buckets_are_named():
    async def main():
        shard = Shard(owned=())
        shard.ownership.expect([BUCKET])
        shard.ask(1)
        await passes(ARRIVES_WITHIN_S + 0.1)
        assert shard.ownership.overdue(asyncio.get_running_loop().time()) == [BUCKET]
        assert shard.refused == []
        await passes(HELD_WITHIN_S)
        shard.ownership.overdue(asyncio.get_running_loop().time())
        assert shard.refused == [1]

    simulate(main())


def test_an_unknown_owner_is_looked_up_once_and_then_told():
    async def main():
        shard = Shard(owned=())
        shard.ask(1)
        shard.ask(2)
        assert shard.located
        assert shard.marks == []
        shard.ownership.located({BUCKET: 5})
        assert [mark.shard for mark in shard.marks] == [5], "one mark is enough for both"
        assert shard.done == []

    simulate(main())


def test_buckets_that_turn_out_to_be_somebody_elses_are_lost():
    async def main():
        shard = Shard()
        shard.ownership.taken([])
        assert shard.ownership.lost == {BUCKET}

    simulate(main())


def test_what_was_given_up_is_never_too_late():
    async def main():
        shard = Shard()
        done = []
        shard.ownership.carry_out = lambda stream, ops: done.extend(ops)
        shard.ownership.frozen.add(BUCKET)
        shard.ask(1)
        given_up = Unsubscribe(CHANNEL, 1)
        assert not shard.ownership.admits(shard.stream, given_up, 0)
        assert shard.ownership.holds(shard.stream, Unsubscribe)
        await passes(HELD_WITHIN_S + 0.1)
        shard.ownership.overdue(asyncio.get_running_loop().time())
        assert shard.refused == [1]
        shard.ownership.thaw([BUCKET])
        assert done == [given_up]
        assert not shard.ownership.holds(shard.stream, Unsubscribe)

    simulate(main())
