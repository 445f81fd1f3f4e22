"""A worker's line to its agent."""

import asyncio
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from actors.agents import launcher
from actors.agents.launcher import AgentReporter, RayLauncher
from actors.jobs.contract import LeasedJob
from tests.fixtures.waiting import eventually, eventually_sync

JOB = LeasedJob(
    id=uuid4(),
    owner=uuid4(),
    number=1,
    queue="q",
    kind="k",
    args={},
    attempt=1,
    max_attempts=1,
    user_id=None,
    org_id=None,
    created_at=datetime.now(UTC),
)


class Sink:
    """An agent whose answers are the test's."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.calls = 0
        self.report = self

    async def remote(self, payload: bytes) -> bool:
        self.calls += 1
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


def reporter(sink: Any) -> AgentReporter:
    return AgentReporter(JOB, sink)


async def test_what_cannot_be_published_is_said_once_and_stops_nothing() -> None:
    sink = Sink(ConnectionError("no shard"), ConnectionError("no shard"), True)
    line = reporter(sink)
    with capture_logs() as logs:
        await line.publish("ch", b"")
        await line.publish("ch", b"")
    assert [log["event"] for log in logs] == ["worker cannot reach its agent"]
    assert await line.report({"rows": 1})


async def test_the_handler_s_own_report_fails_loudly() -> None:
    with pytest.raises(ConnectionError):
        await reporter(Sink(ConnectionError("gone"))).report({"rows": 1})


async def test_contact_is_kept_after_a_call_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "HEARTBEAT_S", 0.01)
    sink = Sink(ConnectionError("gone"))
    touch = asyncio.create_task(reporter(sink).keep_in_touch())
    await eventually(lambda: sink.calls > 2)
    touch.cancel()


def test_a_stopped_process_is_known_from_one_that_waits_or_is_gone() -> None:
    launcher = RayLauncher.__new__(RayLauncher)
    worker = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert not launcher.is_stopped(worker.pid)
        worker.send_signal(signal.SIGSTOP)
        eventually_sync(lambda: launcher.is_stopped(worker.pid))
        worker.send_signal(signal.SIGCONT)
        eventually_sync(lambda: not launcher.is_stopped(worker.pid))
    finally:
        worker.kill()
        worker.wait()
    assert not launcher.is_stopped(worker.pid)
