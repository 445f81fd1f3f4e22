"""One look for everybody who asks."""

import asyncio
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from serve_app.health.schemas import Check
from serve_app.health.sharing import MAX_AGE_S, Finding, SharedLook
from tests.fixtures.waiting import eventually

FINE = Finding(Check(status="healthy", latency_ms=1.0))
GONE = Finding(Check(status="unhealthy", latency_ms=None), reason="OSError", error="OSError: refused")
LATE = Finding(Check(status="unhealthy", latency_ms=None), reason="TimeoutError", error="TimeoutError: ")


class Parts:
    """What a look finds, how often somebody looked, and a door that holds looks back."""

    def __init__(self) -> None:
        self.finding: Finding | Exception = FINE
        self.looks = 0
        self.now = 0.0
        self.door = asyncio.Event()
        self.door.set()
        self.shared = SharedLook(self._look, clock=lambda: self.now)

    async def _look(self) -> Mapping[str, Finding]:
        self.looks += 1
        await self.door.wait()
        if isinstance(self.finding, Exception):
            raise self.finding
        return {"database": self.finding}

    async def status(self) -> str:
        """What somebody hears who asks now."""
        return (await self.shared.ask()).checks["database"].status


async def test_all_who_ask_meanwhile_share_a_look_and_one_who_leaves_does_not_end_it() -> None:
    parts = Parts()
    parts.door.clear()
    asking = [asyncio.create_task(parts.status()) for _ in range(50)]
    await eventually(lambda: parts.looks == 1)
    asking[0].cancel()
    await asyncio.wait(asking[:1])
    later = asyncio.create_task(parts.status())
    parts.door.set()
    assert set(await asyncio.gather(*asking[1:], later)) == {"healthy"}
    assert parts.looks == 1


async def test_findings_serve_until_they_are_too_old_good_or_bad() -> None:
    parts = Parts()
    assert await parts.status() == "healthy"
    parts.finding = GONE
    parts.now = MAX_AGE_S - 0.001
    assert await parts.status() == "healthy"
    parts.now = MAX_AGE_S
    assert [await parts.status() for _ in range(3)] == ["unhealthy"] * 3
    assert parts.looks == 2
    parts.finding = FINE
    parts.now = 2 * MAX_AGE_S
    assert await parts.status() == "healthy"


async def test_a_slow_look_does_not_make_its_findings_old() -> None:
    parts = Parts()
    parts.door.clear()
    asking = asyncio.create_task(parts.status())
    await eventually(lambda: parts.looks == 1)
    parts.now = 10 * MAX_AGE_S
    parts.door.set()
    await asking
    await parts.status()
    assert parts.looks == 1


async def test_a_look_that_raises_is_nobody_s_answer() -> None:
    parts = Parts()
    parts.finding = RuntimeError("a fault of ours")
    with pytest.raises(RuntimeError):
        await parts.status()
    parts.finding = FINE
    assert await parts.status() == "healthy"


async def test_the_log_says_what_has_changed_and_nothing_twice() -> None:
    parts = Parts()
    said = []
    for parts.finding in (FINE, GONE, GONE, GONE, LATE, FINE, FINE):
        parts.now += MAX_AGE_S
        with capture_logs() as lines:
            await parts.status()
        said.append([(line["log_level"], line.get("error")) for line in lines])
    failed, late, passes = [("warning", GONE.error)], [("warning", LATE.error)], [("info", None)]
    assert said == [[], failed, [], [], late, passes, []]


async def test_closing_ends_a_look_that_is_under_way() -> None:
    parts = Parts()
    parts.door.clear()
    asking = asyncio.create_task(parts.status())
    await eventually(lambda: parts.looks == 1)
    await parts.shared.close()
    await asyncio.wait([asking])
    assert asking.cancelled()
