"""What is known of the other process without asking it: the kernel tells of its end at once."""

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial

import msgspec
import pytest
from ray.exceptions import ActorDiedError, ActorUnschedulableError

from actors.hosts import handle
from actors.hosts.line import Line
from actors.hosts.pair import Claim, Life
from actors.hosts.peer import RayPeer
from tests.fixtures.waiting import eventually

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


class Method:
    def __init__(self, answer):
        self.answer = answer

    def remote(self, *arguments):
        async def call():
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer

        return call()


class Actor:
    def __init__(self, answer):
        self.look = self.give_leave = Method(answer)


def claim(pid=1, node="here"):
    return Claim(0, active=True, term=1, pid=pid, node=node)


def peer(answer=b"", missing=False):
    async def get():
        if missing:
            raise ValueError("no such actor")
        return Actor(answer)

    return RayPeer("here", get, kill=lambda: None, forget=lambda actor: None)


@pytest.fixture
def process():
    child = subprocess.Popen(SLEEPER)
    yield child
    child.kill()
    child.wait()


async def test_its_claim_comes_from_the_other_actor():
    other = claim(7)
    there = peer(msgspec.msgpack.encode(other))
    assert await there.look(1.0) == other
    assert await there.ask_leave(claim(), 1.0) == other
    assert await there.life() is Life.UNKNOWN


async def test_an_actor_that_does_not_exist_or_will_not_come_back_is_absent():
    for there, error in (
        (peer(missing=True), ValueError),
        (peer(ActorDiedError()), ActorDiedError),
        (peer(ActorUnschedulableError("its node is gone")), ActorUnschedulableError),
    ):
        with pytest.raises(error):
            await there.look(1.0)
        assert await there.life() is Life.ABSENT


async def test_the_actor_that_is_made_in_the_place_of_a_lost_one_is_asked(monkeypatch):
    """A standby that was moved: by a handle of the former one it would be dead for ever, and nobody gave leave."""
    actors = [Actor(ActorDiedError()), Actor(msgspec.msgpack.encode(claim(8)))]
    looked_up = []

    def look_up(index, side):
        looked_up.append((index, side))
        return actors[len(looked_up) - 1]

    monkeypatch.setattr(handle, "_look_up", look_up)
    monkeypatch.setattr(handle, "_handles", {})
    place = (3, 1)
    there = RayPeer("here", partial(handle.get_host, *place), kill=lambda: None, forget=partial(handle.forget, *place))
    with pytest.raises(ActorDiedError):
        await there.ask_leave(claim(), 1.0)
    assert await there.life() is Life.ABSENT
    assert await there.ask_leave(claim(), 1.0) == claim(8)
    assert await there.life() is Life.UNKNOWN
    assert looked_up == [place, place]


async def test_an_answer_that_does_not_come_meets_the_deadline():
    async def get():
        await asyncio.get_running_loop().create_future()

    there = RayPeer("here", get, kill=lambda: None, forget=lambda actor: None)
    with pytest.raises(TimeoutError):
        await there.look(0.01)
    assert await there.life() is Life.UNKNOWN


async def test_the_end_of_a_process_on_this_node_is_told_at_once(process):
    there, told = peer(), []
    there.watch(claim(process.pid), lambda: told.append(True))
    there.watch(claim(process.pid), lambda: told.append("twice"))
    assert await there.life() is Life.UNKNOWN
    os.kill(process.pid, signal.SIGSTOP)
    assert await there.life() is Life.UNKNOWN, "stopped is not dead"
    await there.end(claim(process.pid))
    assert await there.life() is Life.DEAD, "as soon as it was ended, and also while its parent has not waited for it"
    await eventually(lambda: told == [True])
    assert await there.life() is Life.DEAD, "also while its parent has not waited for it"


async def test_a_process_that_has_ended_before_it_is_watched_is_dead(process):
    process.kill()
    process.wait()
    there = peer()
    there.watch(claim(process.pid), lambda: None)
    assert await there.life() is Life.DEAD
    await there.end(claim(process.pid))


@pytest.mark.parametrize(("alive", "life"), [(True, Life.UNKNOWN), (False, Life.DEAD)])
async def test_a_process_of_another_node_is_dead_when_its_node_is(alive, life, monkeypatch):
    monkeypatch.setattr("actors.hosts.peer.ray.nodes", lambda: [{"NodeID": "there", "Alive": alive}])
    there = peer()
    there.watch(claim(os.getpid(), node="there"), lambda: None)
    assert await there.life() is life


async def test_the_end_of_a_process_on_another_node_is_told_by_its_line():
    line, there, told = Line("one"), peer(), []
    await line.open("127.0.0.1")
    watched = msgspec.structs.replace(claim(pid=1, node="there"), line=line.address)
    there.watch(watched, lambda: told.append(True))
    there.watch(watched, lambda: told.append("twice"))
    await eventually(lambda: line.held == 1)
    await line.close()
    await eventually(lambda: told == [True])
    assert await there.life() is Life.DEAD, "whatever Ray believes of its node"
