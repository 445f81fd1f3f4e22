"""How a handler ends decides what becomes of its job."""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncSession

from actors.jobs.contract import Kind, LeasedJob, Token
from cluster import tracing
from cluster.settings import ROOT, Settings
from db.errors import DatabaseBusy, DatabaseUnavailable
from db.jobs.errors import LeaseLost
from db.jobs.payloads import CHECKPOINT_BYTES, PROGRESS_BYTES, RESULT_BYTES
from db.session import Database
from tasks import runner
from tasks.context import JobCancelled, JobContext, Refused, Snooze
from tasks.runner import JobRunner
from tests.fixtures.jobs import Recorder

JOB = LeasedJob(
    id=uuid4(),
    owner=uuid4(),
    number=4,
    queue="q",
    kind="k",
    args={"a": 1},
    attempt=2,
    max_attempts=2,
    user_id=uuid4(),
    org_id=None,
    created_at=datetime.now(UTC),
    checkpoint={"part": 3},
)


TRACE = "0af7651916cd43dd8448eb211c80319c"


async def run(
    monkeypatch: pytest.MonkeyPatch, handler: Any, reporter: Recorder | None = None, job: LeasedJob = JOB
) -> Any:
    monkeypatch.setattr(runner, "load_handler", lambda kind: handler)
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    database = Database("postgresql://nowhere", pool_size=1, max_overflow=0, application_name="unit")
    outcome = await JobRunner(settings, database).run(job, Kind("k", "m:f"), reporter or Recorder())
    assert outcome.token == Token(JOB.id, JOB.owner, JOB.number)
    return outcome


async def test_what_it_returns_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(job: JobContext) -> dict[str, Any]:
        assert (job.id, job.lease_number, job.attempt, job.last_attempt) == (JOB.id, 4, 2, True)
        assert (job.user_id, job.checkpoint, job.cancelled) == (JOB.user_id, {"part": 3}, False)
        return {"sum": job.args["a"] + 1}

    outcome = await run(monkeypatch, handler)
    assert (outcome.state, outcome.result) == ("succeeded", {"sum": 2})


@pytest.mark.parametrize(
    ("error", "state", "retry_in_s"),
    [
        (JobCancelled(), "cancelled", None),
        (LeaseLost(), "cancelled", None),
        (Snooze(30.0), "snoozed", 30.0),
        (Refused("never"), "refused", None),
        (DatabaseUnavailable(retry_after_s=7.0), "unavailable", 7.0),
        (ExceptionGroup("", [DatabaseBusy(), ExceptionGroup("", [DatabaseUnavailable()])]), "unavailable", 1.0),
        (ExceptionGroup("", [DatabaseUnavailable(), ValueError()]), "failed", None),
        (Refused("never" * 10_000), "refused", None),
        (ValueError("boom"), "failed", None),
    ],
)
async def test_what_it_raises_is_the_outcome(
    monkeypatch: pytest.MonkeyPatch, error: Exception, state: str, retry_in_s: float | None
) -> None:
    async def handler(job: JobContext) -> None:
        raise error

    outcome = await run(monkeypatch, handler)
    assert (outcome.state, outcome.retry_in_s) == (state, retry_in_s)
    if isinstance(error, ValueError):
        assert "ValueError: boom" in outcome.error
        assert "test_runner.py" in outcome.error


class Panic(BaseException):
    """As libraries in Rust raise it."""


@pytest.mark.parametrize("error", [RuntimeError, Refused, DatabaseBusy])
async def test_secrets_in_what_it_raises_are_not_kept(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    async def handler(_: JobContext) -> None:
        raise error("cannot mail https://shop.test/reset-password#mot_hunter2hunter2 to them")

    outcome = await run(monkeypatch, handler)
    assert "to them" in outcome.error
    assert "hunter2" not in outcome.error


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(2),
        KeyboardInterrupt(),
        Panic("index out of bounds"),
        asyncio.CancelledError(),
        BaseExceptionGroup("", [KeyboardInterrupt(), DatabaseUnavailable()]),
    ],
)
async def test_what_would_end_the_process_ends_its_own_attempt(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    async def handler(job: JobContext) -> None:
        raise error

    outcome = await asyncio.create_task(run(monkeypatch, handler))
    assert (outcome.state, type(error).__name__ in outcome.error) == ("failed", True)


async def test_a_handler_that_is_ended_from_outside_has_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def handler(job: JobContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    attempt = asyncio.create_task(run(monkeypatch, handler))
    await begun.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt


@pytest.mark.parametrize("retry_in_s", [float("nan"), float("inf"), 1e15])
async def test_no_job_is_snoozed_for_ever(monkeypatch: pytest.MonkeyPatch, retry_in_s: float) -> None:
    async def handler(job: JobContext) -> None:
        raise Snooze(retry_in_s)

    outcome = await run(monkeypatch, handler)
    assert (outcome.state, "a job is called again within" in outcome.error) == ("failed", True)


@pytest.mark.parametrize(
    ("result", "state", "stored"),
    [
        ({1: UUID(int=7), "t": "a\x00"}, "succeeded", {"1": str(UUID(int=7)), "t": "a\ufffd"}),
        (2**64, "refused", None),
        ("x" * RESULT_BYTES, "refused", None),
    ],
)
async def test_a_result_is_made_storable_or_refused(
    monkeypatch: pytest.MonkeyPatch, result: Any, state: str, stored: Any
) -> None:
    async def handler(job: JobContext) -> Any:
        return result

    outcome = await run(monkeypatch, handler)
    assert (outcome.state, outcome.result) == (state, stored)
    assert len(outcome.error) < 1_000
    assert ("cannot be stored" in outcome.error) == (state == "refused")


async def test_progress_that_cannot_be_stored_is_its_handler_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()

    async def handler(job: JobContext) -> None:
        await job.progress({"n": 1, "text": "\x00"})
        await job.progress({"n": 2**64})

    outcome = await run(monkeypatch, handler, recorder)
    assert (outcome.state, "exceeds 64-bit" in outcome.error) == ("failed", True)
    assert recorder.progress == [{"n": 1, "text": "\ufffd"}]


async def save_too_much(job: JobContext) -> None:
    session = cast(AsyncSession, None)  # it is refused before anything is written
    await job.save_checkpoint(session, {"n": "x" * CHECKPOINT_BYTES})


@pytest.mark.parametrize(
    "handler", [lambda job: job.progress({"n": "x" * PROGRESS_BYTES}), save_too_much], ids=["progress", "checkpoint"]
)
async def test_progress_that_is_too_large_is_its_handler_s_fault(
    monkeypatch: pytest.MonkeyPatch, handler: Callable[[JobContext], Awaitable[None]]
) -> None:

    outcome = await run(monkeypatch, handler)
    assert (outcome.state, "are allowed" in outcome.error) == ("failed", True)


async def test_a_handler_that_cannot_be_imported_fails_its_attempt() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    database = Database("postgresql://nowhere", pool_size=1, max_overflow=0, application_name="unit")
    outcome = await JobRunner(settings, database).run(JOB, Kind("k", "tasks.nothing:run"), Recorder())
    assert outcome.state == "failed"
    assert "tasks.nothing" in outcome.error


async def test_progress_raises_once_the_job_should_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()

    async def handler(job: JobContext) -> None:
        await job.progress({"n": 1})
        await job.publish("ch", {"x": 1})
        recorder.stop = True
        await job.progress({"n": 2})

    assert (await run(monkeypatch, handler, recorder)).state == "cancelled"
    assert recorder.progress == [{"n": 1}, {"n": 2}]
    assert recorder.published == [("ch", b'{"x":1}')]


LOADS_ALL = "import tasks.runner; from db.base import Base; from sqlalchemy.orm import configure_mappers; \
configure_mappers(); assert len(Base.metadata.sorted_tables) > 20"


def test_a_fresh_worker_knows_every_table_that_a_foreign_key_names() -> None:
    done = subprocess.run([sys.executable, "-c", LOADS_ALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_an_attempt_is_a_span_in_the_trace_that_enqueued_it(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    settings = Settings(_env_file=None, otel_enabled=True)  # type: ignore[call-arg]
    tracing.configure(settings, process="agent", exporter=exporter)

    async def handler(job: JobContext) -> None:
        raise ValueError("boom")

    try:
        traced = msgspec.structs.replace(JOB, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
        assert (await run(monkeypatch, handler, job=traced)).state == "failed"
        await run(monkeypatch, handler)
    finally:
        tracing.shutdown()
    traced_span, root = exporter.get_finished_spans()
    assert traced_span.name == "job k"
    assert f"{traced_span.context.trace_id:032x}" == TRACE
    assert not traced_span.status.is_ok
    assert root.parent is None
