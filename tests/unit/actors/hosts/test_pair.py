"""Two processes of one host in virtual time: one answers, never both, and soon again after any of them is lost."""

import asyncio
import random

import pytest

from actors.hosts.pair import LEASE_S, SILENCE_S, Claim, Life, Pair
from tests.fixtures.simulation import passes, simulate


class Process:
    """One process of the pair. It can be killed, stopped and resumed, and made again by Ray."""

    def __init__(self, cluster, side):
        self.cluster = cluster
        self.side = side
        self.pid = 0
        self.alive = False
        self.stopped = False
        self.hosted = None
        self.watchers = []

    async def make(self):
        self.cluster.pids += 1
        self.pid = self.cluster.pids
        self.alive, self.stopped, self.hosted = True, False, None
        self.pair = Pair(
            Claim(self.side, active=False, term=0, pid=self.pid, node=self.cluster.nodes[self.side]),
            Link(self.cluster, self.side),
            activate=self.activate,
            step_down=self.die,
            shards=lambda: [("brokers", 5, 6)] if self.hosted is not None else [],
        )
        await self.pair.start()

    async def activate(self, shards):
        self.hosted = shards

    def die(self):
        self.alive = False
        if self.pair._running is not None:
            self.pair._running.cancel()
        for on_death in self.watchers:
            on_death()
        self.watchers = []

    def answers(self):
        return self.alive and not self.stopped and self.pair.may_answer()


class Link:
    """`pair.Other` as one side sees it."""

    def __init__(self, cluster, side):
        self.cluster = cluster
        self.own = side
        self.known = None
        self.absent = False

    async def reach(self, timeout_s):
        # A process that is stopped itself asks nothing; one that is asked answers when it runs again, or never.
        await self.cluster.running(self.own)
        other = self.cluster.sides[1 - self.own]
        self.absent = not self.cluster.made[1 - self.own]
        if self.absent:
            raise ValueError("no such actor")
        if not other.alive or self.cluster.cut:
            raise ConnectionError("unavailable")
        async with asyncio.timeout(timeout_s):
            while other.stopped:
                await passes(0.05)
        return other

    async def look(self, timeout_s):
        return (await self.reach(timeout_s)).pair.claim

    async def ask_leave(self, claim, timeout_s):
        other = await self.reach(timeout_s)
        return other.pair.give_leave(claim)

    async def life(self):
        await self.cluster.running(self.own)
        if self.absent:
            return Life.ABSENT
        other = self.cluster.sides[1 - self.own]
        if self.known is not None and (not other.alive or other.pid != self.known.pid):
            return Life.DEAD
        return Life.UNKNOWN

    def watch(self, claim, on_death):
        self.known = claim
        self.cluster.sides[1 - self.own].watchers.append(on_death)

    async def end(self, claim):
        await self.cluster.running(self.own)
        self.cluster.ended.append(claim.pid)
        self.cluster.sides[1 - self.own].die()


class Cluster:
    def __init__(self, nodes=("n", "n")):
        self.nodes = nodes
        self.pids = 0
        self.cut = False
        self.ended = []
        self.sides = [Process(self, 0), Process(self, 1)]
        self.made = [False, False]

    async def running(self, side):
        while self.sides[side].stopped:
            await passes(0.05)

    async def begin(self):
        for side in (0, 1):
            self.made[side] = True
            await self.sides[side].make()
            await passes(1)
        return self

    def answering(self):
        return [process.side for process in self.sides if process.answers()]

    async def until(self, *answering, limit_s=30.0):
        started = asyncio.get_running_loop().time()
        while tuple(self.answering()) != answering:
            assert asyncio.get_running_loop().time() - started < limit_s, self.answering()
            await passes(0.05)
        return asyncio.get_running_loop().time() - started


def test_the_first_is_active_and_the_second_stands_by():
    async def main():
        cluster = await Cluster().begin()
        for _ in range(60):
            assert cluster.answering() == [0]
            await passes(1)
        active, standby = (process.pair for process in cluster.sides)
        assert LEASE_S / 2 < active.lease_left() <= LEASE_S
        assert standby.lease_left() is None

    simulate(main())


def test_without_a_standby_a_process_is_active_at_once_and_needs_nobodys_leave():
    async def main():
        async def activate(shards):
            assert shards == []

        pair = Pair(Claim(0, active=False, term=0, pid=1, node="n"), None, activate=activate, step_down=pytest.fail)
        await pair.start()
        await passes(3_600)
        assert pair.may_answer()
        assert pair.lease_left() is None
        await pair.stop()

    simulate(main(), limit_s=4_000)


def test_the_standby_answers_at_once_when_the_active_one_dies_and_hosts_what_that_one_hosted():
    async def main():
        cluster = await Cluster().begin()
        cluster.sides[0].die()
        assert await cluster.until(1) < 0.2
        assert cluster.sides[1].hosted == [("brokers", 5, 6)]
        await cluster.sides[0].make()
        for _ in range(20):
            await passes(1)
            assert cluster.answering() == [1], "who comes back stands by"
        cluster.sides[1].die()
        assert await cluster.until(0) < 0.2

    simulate(main())


def test_a_stopped_process_is_replaced_after_its_lease_and_ended():
    async def main():
        cluster = await Cluster().begin()
        pid = cluster.sides[0].pid
        cluster.sides[0].stopped = True
        waited = await cluster.until(1)
        assert LEASE_S < waited < SILENCE_S + 3
        assert cluster.ended == [pid]

    simulate(main())


def test_a_process_that_wakes_up_after_its_lease_says_nothing_and_steps_down():
    async def main():
        cluster = await Cluster().begin()
        first = cluster.sides[0]
        first.stopped = True

        async def end_nobody(claim):
            cluster.ended.append(claim.pid)

        cluster.sides[1].pair._other.end = end_nobody
        await cluster.until(1)
        first.stopped = False
        assert not first.answers(), "not even before it has asked"
        await passes(2)
        assert not first.alive
        assert cluster.answering() == [1]

    simulate(main())


def test_a_pause_shorter_than_the_lease_changes_nothing():
    async def main():
        cluster = await Cluster().begin()
        cluster.sides[0].stopped = True
        await passes(LEASE_S - 1)
        cluster.sides[0].stopped = False
        await passes(10)
        assert cluster.answering() == [0]
        assert cluster.ended == []

    simulate(main())


def test_when_the_standby_dies_the_active_one_goes_on():
    async def main():
        cluster = await Cluster().begin()
        cluster.sides[1].die()
        for _ in range(20):
            await passes(1)
            assert cluster.answering() == [0]
        await cluster.sides[1].make()
        await passes(10)
        assert cluster.answering() == [0]

    simulate(main())


def test_a_standby_that_stands_still_is_ended_and_nobody_waits_for_it():
    async def main():
        cluster = await Cluster().begin()
        standby = cluster.sides[1]
        pid, standby.stopped = standby.pid, True
        for _ in range(600):
            await passes(0.05)
            assert cluster.answering() == [0]
        assert cluster.ended == [pid]
        await standby.make()
        await passes(10)
        assert cluster.answering() == [0]
        assert cluster.ended == [pid]

    simulate(main())


def test_a_standby_that_is_slow_once_is_left_alone():
    async def main():
        cluster = await Cluster().begin()
        cluster.sides[1].stopped = True
        await passes(1.4)
        cluster.sides[1].stopped = False
        await passes(20)
        assert cluster.ended == []

    simulate(main())


def test_one_that_stood_still_itself_ends_nobody():
    """What it would end is active by the time it runs again."""

    async def main():
        cluster = await Cluster().begin()
        first, second = cluster.sides

        async def end_nobody(claim):
            cluster.ended.append("by the second")

        second.pair._other.end = end_nobody
        for _ in range(3):
            first.stopped = True
            await passes(LEASE_S - 0.5)
            first.stopped = False
            await passes(0.3)
        first.stopped = True
        await cluster.until(1)
        first.stopped = False
        await passes(10)
        assert cluster.ended == ["by the second"]
        assert cluster.answering() == [1]

    simulate(main())


def test_after_both_are_lost_one_becomes_active():
    async def main():
        cluster = await Cluster().begin()
        for process in cluster.sides:
            process.die()
        await cluster.sides[1].make()
        await passes(1)
        await cluster.sides[0].make()
        await cluster.until(0, limit_s=SILENCE_S + 3)
        await passes(10)
        assert cluster.answering() == [0]

    simulate(main())


def test_two_that_cannot_reach_each_other_never_answer_both():
    async def main():
        cluster = await Cluster(("n", "m")).begin()
        cluster.cut = True
        seen = set()
        for _ in range(400):
            await passes(0.05)
            answering = tuple(cluster.answering())
            assert answering in ((0,), (), (1,))
            seen.add(answering)
        assert seen == {(0,), (), (1,)}

    simulate(main())


@pytest.mark.parametrize("nodes", [("n", "n"), ("n", "m")], ids=["one node", "two nodes"])
@pytest.mark.parametrize("seed", range(15))
def test_whatever_happens_never_both_answer_and_soon_one_does(seed, nodes):
    async def main():
        chance = random.Random(seed)
        cluster = await Cluster(nodes).begin()

        async def watch():
            while True:
                assert len(cluster.answering()) <= 1
                await passes(0.05)

        watching = asyncio.create_task(watch())
        for _ in range(12):
            process = chance.choice(cluster.sides)
            event = chance.choice(["die", "stop", "cut", "wait"])
            if event == "die" and process.alive:
                process.die()
            elif event == "stop" and process.alive:
                process.stopped = True
            elif event == "cut":
                cluster.cut = True
            await passes(chance.uniform(0.1, 10))
            cluster.cut = False
            for each in cluster.sides:
                each.stopped = False
                if not each.alive and chance.random() < 0.8:
                    await each.make()
            await passes(chance.uniform(0.0, 3))
        for each in cluster.sides:
            if not each.alive:
                await each.make()
        await passes(20)
        assert len(cluster.answering()) == 1
        assert not watching.done(), watching.exception()
        watching.cancel()

    simulate(main())
