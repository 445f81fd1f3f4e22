"""Requests by number: answered once, refused, or failed in time."""

import asyncio
import itertools

import pytest

from actors.links.link import LinkFull
from actors.links.requests import OVERHEAD_BYTES, Requests
from tests.fixtures.simulation import passes, simulate


class Full(Exception):
    pass


class Late(Exception):
    pass


class Sent:
    def __init__(self):
        self.sent = []
        self.full = False
        self.requests = Requests(self.send, itertools.count(1), within_s=4.0, full=Full, late=Late)

    def send(self, operation, size, *, may_expire=True):
        if self.full:
            raise LinkFull
        self.sent.append((operation, size))

    def ask(self, size=0):
        return self.requests.ask(lambda number: f"op {number}", size).future


def test_an_answer_reaches_its_request_and_no_other():
    async def main():
        link = Sent()
        one, two = link.ask(10), link.ask()
        assert link.sent == [("op 1", 10 + OVERHEAD_BYTES), ("op 2", OVERHEAD_BYTES)]
        link.requests.answer(2, "second")
        link.requests.answer(2, "again")
        link.requests.answer(7, "nobody asked")
        assert await two == "second"
        assert not one.done()
        link.requests.fail(1, ValueError("refused"))
        with pytest.raises(ValueError, match="refused"):
            await one
        assert link.requests.asked == {}

    simulate(main())


def test_what_is_not_answered_fails_in_time_and_what_is_younger_stays():
    async def main():
        link = Sent()
        old = link.ask()
        await passes(3)
        young = link.ask()
        given_up = link.ask()
        given_up.cancel()
        await passes(1.5)
        now = asyncio.get_running_loop().time()
        assert [asked.op for asked in link.requests.open(now)] == ["op 2", "op 3"]
        link.requests.check(now)
        with pytest.raises(Late):
            await old
        assert not young.done()
        link.requests.expire([2])
        with pytest.raises(Late, match="cannot be reached"):
            await young
        link.requests.check(now)
        assert link.requests.asked == {}, "a caller that gave up leaves nothing behind"

    simulate(main())


def test_a_full_link_refuses_and_keeps_nothing():
    async def main():
        link = Sent()
        link.full = True
        with pytest.raises(Full):
            link.ask()
        assert link.requests.asked == {}

    simulate(main())


def test_a_forgotten_request_is_not_answered():
    async def main():
        link = Sent()
        future = link.ask()
        link.requests.forget(1)
        link.requests.answer(1, "late")
        assert not future.done()

    simulate(main())
