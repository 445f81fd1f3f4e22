"""One attempt: time, orders, reports."""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from actors.agents.running import CANCEL_GRACE_S, STOPPED_LIMIT_S, Running
from actors.jobs.contract import Kind, LeasedJob, OutcomeState, ProgressReport


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make() -> tuple[Running, Clock, list[str]]:
    published: list[str] = []

    async def publish(channel: str, data: bytes) -> None:
        published.append(channel)

    clock = Clock()
    job = LeasedJob(
        id=uuid4(),
        owner=uuid4(),
        number=3,
        queue="q",
        kind="k",
        args={},
        attempt=1,
        max_attempts=1,
        user_id=None,
        org_id=None,
        created_at=datetime.now(UTC),
    )
    return Running(job, Kind("k", "m:f", timeout_s=10.0), publish, clock), clock, published


def test_times_out_by_its_kind() -> None:
    running, clock, _ = make()
    clock.now += 9.9
    assert not running.timed_out
    clock.now += 0.2
    assert running.timed_out


async def test_after_an_order_to_stop_it_has_its_grace_and_publishes_no_more() -> None:
    running, clock, published = make()
    assert await running.report(None)
    await running.publish("before", b"")
    running.ask_to_stop()
    assert not await running.report({"rows": 1})
    await running.publish("after", b"")
    assert published == ["before"]
    clock.now += CANCEL_GRACE_S - 0.1
    running.ask_to_stop(lost=True)  # asked again: the grace does not begin anew
    assert not running.overstayed
    clock.now += 0.2
    assert running.overstayed
    assert running.lost


async def test_reports_are_taken_once_and_the_latest_wins() -> None:
    running, _, _ = make()
    assert running.take_report() is None
    await running.report({"rows": 1})
    await running.report({"rows": 2})
    assert running.take_report() == ProgressReport(token=running.token, progress={"rows": 2})
    assert running.take_report() is None


async def test_what_cannot_be_published_stops_no_attempt_and_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, _, _ = make()

    async def away(channel: str, data: bytes) -> None:
        raise TimeoutError("no broker")

    running.publisher = away
    with capture_logs() as logs:
        await running.publish("ch", b"")
        await running.publish("ch", b"")
    assert await running.report({"rows": 1})
    assert [log["event"] for log in logs] == ["job could not publish"]


def test_a_process_that_is_stopped_for_a_moment_is_left_alone() -> None:
    running, clock, _ = make()
    assert not running.stands_still(True)
    clock.now += STOPPED_LIMIT_S - 1
    assert not running.stands_still(True)
    assert not running.stands_still(False)
    clock.now += 2
    assert not running.stands_still(True)
    clock.now += STOPPED_LIMIT_S
    assert running.stands_still(True)


@pytest.mark.parametrize(
    ("kind", "state", "level"),
    [
        ({}, "succeeded", "info"),
        ({}, "snoozed", "info"),
        ({"kept": False}, "succeeded", "debug"),
        ({"logged": False}, "succeeded", "debug"),
        ({"kept": False}, "cancelled", "info"),
        ({}, "failed", "warning"),
        ({"kept": False}, "died", "warning"),
        ({"logged": False}, "unavailable", "warning"),
    ],
)
def test_its_end_is_one_line_with_what_one_looks_for(
    caplog: pytest.LogCaptureFixture, kind: dict[str, bool], state: OutcomeState, level: str
) -> None:
    running, clock, _ = make()
    running.kind = replace(running.kind, **kind)
    clock.now += 1.25
    caplog.set_level(logging.DEBUG, logger="actors.agents.running")
    with capture_logs() as logs:
        running.tell_end(state)
    named = {"job_id": str(running.job.id), "job_kind": "k", "attempt": 1, "queue": "q"}
    assert logs == [{"event": "attempt ended", "log_level": level, "state": state, "duration_ms": 1250.0, **named}]


def test_a_line_that_nobody_keeps_is_not_made(caplog: pytest.LogCaptureFixture) -> None:
    running, _, _ = make()
    running.kind = replace(running.kind, kept=False)
    caplog.set_level(logging.INFO, logger="actors.agents.running")
    with capture_logs() as logs:
        running.tell_end("succeeded")
    assert logs == []
