import asyncio
from typing import ClassVar

import pytest

from actors.hosts.contract import ShardDeposed, ShardNotReady, UnknownShard
from actors.hosts.slot import READY_WAIT_S, REPLACE_AFTER_S, RETRY_LIMIT_S, Slot
from tests.fixtures.simulation import passes, simulate


class Counter:
    """A shard that counts its objects and fails as often as told."""

    created: list["Counter"]
    failures: int
    slow_s = 0.0

    def __init__(self):
        type(self).created.append(self)
        self.number = len(type(self).created)
        self.stopped = False
        self.deposed = False

    async def start(self):
        await passes(self.slow_s)
        if self.number <= type(self).failures:
            raise ConnectionError("no database")

    async def stop(self):
        self.stopped = True

    async def echo(self, payload):
        if self.deposed:
            raise ShardDeposed
        return payload + str(self.number).encode()

    async def fail(self, payload):
        raise ValueError("a bug")

    def _private(self, payload):
        raise AssertionError("must not be reachable")


@pytest.fixture
def kind():
    class Fresh(Counter):
        created: ClassVar[list] = []
        failures = 0

    return Fresh


def test_a_call_waits_for_the_start(kind):
    kind.slow_s = 1.0

    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        assert await slot.call("echo", b"x") == b"x1"

    simulate(main())


def test_a_start_that_fails_is_tried_again_with_a_new_object(kind):
    kind.failures = 4

    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        with pytest.raises(ShardNotReady):
            await slot.call("echo", b"x")
        await passes(RETRY_LIMIT_S * 3)
        assert await slot.call("echo", b"x") == b"x5"
        assert [shard.stopped for shard in kind.created] == [True, True, True, True, False]

    simulate(main())


def test_a_call_gives_up_before_its_caller_does(kind):
    kind.slow_s = 60.0

    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        before = asyncio.get_running_loop().time()
        with pytest.raises(ShardNotReady):
            await slot.call("echo", b"")
        assert asyncio.get_running_loop().time() - before == pytest.approx(READY_WAIT_S)
        await slot.stop()
        assert kind.created[0].stopped

    simulate(main())


@pytest.mark.parametrize("method", ["_private", "start", "stop", "nothing"])
def test_only_public_methods_can_be_called(kind, method):
    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        with pytest.raises(UnknownShard):
            await slot.call(method, b"")

    simulate(main())


def test_an_error_of_the_shard_reaches_the_caller_and_changes_nothing(kind):
    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        with pytest.raises(ValueError, match="a bug"):
            await slot.call("fail", b"")
        assert await slot.call("echo", b"") == b"1"

    simulate(main())


def test_a_deposed_shard_is_replaced_when_called_and_not_before(kind):
    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        await slot.call("echo", b"")
        kind.created[0].deposed = True
        await passes(60)
        assert len(kind.created) == 1, "a forgotten process must not take anything back"
        with pytest.raises(ShardNotReady):
            await slot.call("echo", b"")
        assert await slot.call("echo", b"") == b"2"
        assert kind.created[0].stopped

    simulate(main())


def test_two_owners_do_not_spin(kind):
    async def main():
        slot = Slot(("k", 0, 1), kind)
        slot.start()
        await slot.call("echo", b"")
        for _ in range(20):
            kind.created[-1].deposed = True
            with pytest.raises(ShardNotReady):
                await slot.call("echo", b"")
            await passes(REPLACE_AFTER_S / 10)
        assert len(kind.created) <= 4

    simulate(main())
