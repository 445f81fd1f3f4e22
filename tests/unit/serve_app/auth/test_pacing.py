"""Answers whose time says nothing."""

import asyncio

import pytest

from serve_app.auth.pacing import in_steps, until_step


@pytest.mark.parametrize(("elapsed", "left"), [(0.0, 1.0), (0.25, 0.75), (1.0, 1.0), (2.5, 0.5)])
def test_the_rest_of_the_step(elapsed: float, left: float) -> None:
    assert until_step(elapsed, 1.0) == left


async def test_what_takes_different_times_ends_at_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    now, ends = 100.0, []

    async def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", pass_time)
    for work_s in (0.0625, 0.125):
        began = now
        async with in_steps(0.25):
            now += work_s
        ends.append(now - began)
    assert ends == [0.25, 0.25]


async def test_a_failure_is_not_told_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    with pytest.raises(ValueError, match="no"):
        async with in_steps(0.25):
            raise ValueError("no")
    assert len(slept) == 1
