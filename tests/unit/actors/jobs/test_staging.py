"""When the table is asked for what became due and what is to be cancelled."""

from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from actors.jobs.staging import STAGE_S, Staging
from db.jobs.store import Disconnected, JobStore, Staged


class Table:
    """Answers as the store does, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.next_in_s: float | None = None
        self.cancelled: tuple[UUID, ...] = ()
        self.error: Exception | None = None
        self.meanwhile: Any = None

    async def stage(self) -> Staged:
        self.asked += 1
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        if self.error is not None:
            raise self.error
        return Staged(("a",), (), self.next_in_s, self.cancelled)


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def staging(table: Table) -> Staging:
    return Staging(cast(JobStore, table))


async def asks(staging: Staging, table: Table, now: float, *, idle: bool = False) -> bool:
    before = table.asked
    staged = await staging.look(now, idle=idle)
    assert bool(staged.queues) == (table.asked > before)
    return table.asked > before


async def test_it_is_asked_first_and_then_not_in_every_round(staging: Staging, table: Table) -> None:
    assert await asks(staging, table, 10.0)
    assert not await asks(staging, table, 10.0)
    assert not await asks(staging, table, 10.0 + STAGE_S / 2)
    assert await asks(staging, table, 10.1 + STAGE_S), "for what nobody said"
    assert await asks(staging, table, 10.1 + STAGE_S, idle=True), "when there is nothing else to do"


async def test_it_is_asked_when_somebody_says_so(staging: Staging, table: Table) -> None:
    table.cancelled = (uuid4(),)
    await staging.look(10.0, idle=False)
    staging.want()
    assert (await staging.look(10.0, idle=False)).cancelled == table.cancelled
    assert (await staging.look(10.0, idle=False)).cancelled == ()


async def test_it_is_asked_when_a_job_becomes_due(staging: Staging, table: Table) -> None:
    table.next_in_s = STAGE_S / 4
    assert staging.next_in_s(10.0) is None
    await staging.look(10.0, idle=False)
    assert staging.next_in_s(10.0) == pytest.approx(STAGE_S / 4)
    assert not await asks(staging, table, 10.0 + STAGE_S / 8)
    table.next_in_s = None
    assert await asks(staging, table, 10.0 + STAGE_S / 4)
    assert staging.next_in_s(10.0) is None


async def test_what_is_said_while_it_is_asked_is_asked_again(staging: Staging, table: Table) -> None:
    table.meanwhile = staging.want
    await staging.look(10.0, idle=False)
    assert await asks(staging, table, 10.0)
    assert not await asks(staging, table, 10.0)


async def test_a_question_that_failed_is_asked_again(staging: Staging, table: Table) -> None:
    await staging.look(10.0, idle=False)
    staging.want()
    table.error = Disconnected()
    with pytest.raises(Disconnected):
        await staging.look(10.0, idle=False)
    table.error = None
    assert await asks(staging, table, 10.0)
