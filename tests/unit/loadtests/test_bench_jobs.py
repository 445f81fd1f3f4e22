"""What is counted: jobs that ended in time, and the time from commit to handler."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from loadtests import bench_jobs
from loadtests.bench_jobs import JOBS_PER_S, Jobs, KeyOf, drain, ratio, starts
from loadtests.stack import StackNotReady


class Fake:
    """Runs `per_look` jobs between two looks; a handler begins `delay_s` after its commit."""

    def __init__(self, per_look: int = 0, delay_s: float | None = 0.002) -> None:
        self.per_look, self.delay_s = per_look, delay_s
        self.waiting = 0
        self.forgotten: list[str] = []
        self.keys: set[str | None] = set()
        self.committed: dict[UUID, float] = {}

    async def add(self, queue: str, count: int, key_of: KeyOf) -> tuple[list[UUID], float]:
        self.waiting += count
        self.keys |= {key_of(n) for n in range(count)}
        ids = [uuid4() for _ in range(count)]
        self.committed |= dict.fromkeys(ids, 100.0)
        return ids, 100.0

    async def left(self, queue: str) -> int:
        self.waiting = max(0, self.waiting - self.per_look)
        return self.waiting

    async def drained(self, queue: str, seconds: float) -> tuple[int, float]:
        return await Jobs.drained(self, queue, seconds)  # type: ignore[arg-type]

    async def forget(self, queue: str) -> None:
        self.forgotten.append(queue)

    async def began(self, ids: Sequence[UUID]) -> dict[UUID, float]:
        return {} if self.delay_s is None else {job_id: self.committed[job_id] + self.delay_s for job_id in ids}


async def test_a_rate_is_what_ended_by_the_time_that_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_jobs, "LOOK_S", 0.01)
    count = int(JOBS_PER_S * 0.1)
    quick = Fake(per_look=count)
    assert await drain(quick, "q", lambda n: f"{n % 7}", 0.1) > count / 0.1, "all ended before the time was over"  # type: ignore[arg-type]
    assert (quick.forgotten, len(quick.keys)) == (["q"], 7)
    slow = Fake(per_look=1)
    assert 0 < await drain(slow, "q", lambda _: None, 0.1) < count / 0.1 / 2  # type: ignore[arg-type]


async def test_a_start_is_measured_from_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_jobs, "PAUSE_S", 0.0)
    monkeypatch.setattr(bench_jobs, "SETTLE_S", 0.05)
    assert list(await starts(Fake(), "q", "quiet", 3)) == pytest.approx([2_000] * 3, abs=1)  # type: ignore[arg-type]
    with pytest.raises(StackNotReady, match="3 of 3 jobs did not run"):
        await starts(Fake(delay_s=None), "q", None, 3)  # type: ignore[arg-type]


def test_a_ratio_to_nothing_is_no_number() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert str(ratio(3.0, 0.0)) == "nan"
