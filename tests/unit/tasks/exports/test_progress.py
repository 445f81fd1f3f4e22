"""Progress is told while the work goes on, and a stop reaches the writer."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from tasks.context import JobCancelled, Refused
from tasks.exports import progress
from tasks.exports.progress import Counter, Teller
from tasks.exports.progress import follow as follow_work


class Job:
    def __init__(self) -> None:
        self.told: list[int] = []
        self.checks = 0
        self.stop_after = 10_000

    async def progress(self, note: Mapping[str, Any]) -> None:
        self.told.append(note["rows"])
        await self.check()

    async def check(self) -> None:
        self.checks += 1
        if self.checks > self.stop_after:
            raise JobCancelled

    async def publish(self, channel: str, data: Mapping[str, Any]) -> None:
        assert data["rows"] == self.told[-1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TELL_EVERY_S", 0.005)
    monkeypatch.setattr(progress, "STOP_WAIT_S", 0.005)


async def follow(job: Job, work: "asyncio.Future[None]", counter: Counter, check: Any = lambda: None) -> None:
    teller = Teller(job, uuid4(), uuid4(), 3)  # type: ignore[arg-type]
    await follow_work(job, work, counter, tell=lambda: teller.tell(counter.rows), check=check)  # type: ignore[arg-type]


async def test_tells_each_change_once_and_ends_with_the_work() -> None:
    job, counter = Job(), Counter()
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(follow(job, work, counter))
    for rows in (1, 2, 3):
        counter.rows = rows
        while rows not in job.told:
            await asyncio.wait({following}, timeout=0.005)
    while job.checks < 10:  # nothing new, but still asked whether to go on
        await asyncio.wait({following}, timeout=0.005)
    work.set_result(None)
    await asyncio.wait_for(following, 5)
    assert sorted(set(job.told)) == job.told[-len(set(job.told)) :]
    assert not counter.stop


async def test_it_never_goes_backwards() -> None:
    job = Job()
    teller = Teller(job, uuid4(), uuid4(), 3)  # type: ignore[arg-type]
    for rows in (0, 2, 1, 2, 3):  # a part job that was killed takes back what it had told
        await teller.tell(rows)
    assert (job.told, job.checks) == ([0, 2, 3], 5)


async def test_what_the_work_raises_is_raised() -> None:
    async def broken() -> None:
        raise OSError("disk full")

    counter = Counter()
    with pytest.raises(OSError, match="disk full"):
        await follow(Job(), asyncio.ensure_future(broken()), counter)
    assert counter.stop


async def test_a_cancelled_job_stops_the_writer() -> None:
    job, counter = Job(), Counter(rows=1)
    job.stop_after = 2
    with pytest.raises(JobCancelled):
        await follow(job, asyncio.get_running_loop().create_future(), counter)
    assert counter.stop


async def test_an_exhausted_budget_stops_the_writer() -> None:
    def exhausted() -> None:
        raise Refused("budget")

    counter = Counter()
    with pytest.raises(Refused):
        await follow(Job(), asyncio.get_running_loop().create_future(), counter, exhausted)
    assert counter.stop
