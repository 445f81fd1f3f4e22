"""Gifts and takings happen in the committer's turn, and whoever asked is told what came of it."""

import asyncio

import pytest

from actors.brokers.handover import Handover
from db.streams.errors import Ambiguous, Fenced
from tests.fixtures.simulation import passes, simulate


async def nothing(*_):
    pass


def test_whoever_asked_is_told_in_the_turn():
    async def main():
        woken, given = [], []
        handover = Handover(lambda: woken.append(True))
        asked = [asyncio.create_task(handover.give([1, 2], 3, "inc")), asyncio.create_task(handover.take_again())]
        await passes(1)
        assert woken == [True, True]
        assert not any(task.done() for task in asked)

        async def give(gift):
            given.append((gift.buckets, gift.shard, gift.owner))

        await handover.turn(give, nothing)
        await asyncio.gather(*asked)
        assert given == [([1, 2], 3, "inc")]

    simulate(main())


@pytest.mark.parametrize(
    ("error", "told"), [(Fenced("no"), Fenced), (Ambiguous("?"), Ambiguous), (OSError(), Ambiguous)]
)
def test_a_failure_is_told_and_raised(error, told):
    async def main():
        handover = Handover(lambda: None)
        asked = asyncio.create_task(handover.give([1], 3, "inc"))
        await passes(1)

        async def give(gift):
            raise error

        with pytest.raises(type(error)):
            await handover.turn(give, nothing)
        with pytest.raises(told):
            await asked

    simulate(main())


def test_nobody_waits_for_a_turn_that_does_not_come():
    async def main():
        handover = Handover(lambda: None)
        asked = [asyncio.create_task(handover.give([1], 3, "inc")), asyncio.create_task(handover.take_again())]
        await passes(1)
        handover.fail()
        for task in asked:
            with pytest.raises(Ambiguous):
                await task

    simulate(main())
