"""The agent with an owner, workers and handlers played by the test."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import msgspec
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from actors.agents import actor, ends
from actors.agents.actor import default_capacity
from actors.agents.launcher import WorkerDied, WorkerReport
from actors.jobs.contract import (
    LeasedJob,
    Outcome,
    Reporter,
    Schedule,
    Token,
)
from cluster import tracing
from cluster.settings import Settings
from cluster.stack.budget import CONNECTIONS_PER_WORKER, budget
from tests.fixtures.node_agent import World, make_job, token
from tests.fixtures.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actor, "BEAT_S", 0.05)
    monkeypatch.setattr(actor, "WATCH_EVERY_S", 0.02)
    monkeypatch.setattr(actor, "CRON_EVERY_S", 0.02)
    monkeypatch.setattr(actor, "END_WAIT_S", 0.05)
    monkeypatch.setattr("actors.agents.running.CANCEL_GRACE_S", 0.2)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.agent.start(made.workers)
    yield made
    await made.agent.stop()


async def test_runs_an_inline_job_and_reports_its_end(world: World) -> None:
    job = make_job()
    world.owner.jobs.put_nowait(job)
    outcome = await world.outcome()
    assert (outcome.token, outcome.state, outcome.result) == (token(job), "succeeded", {"by": "handler"})


async def test_an_unknown_kind_costs_no_attempt_where_a_node_has_older_code(world: World) -> None:
    world.owner.jobs.put_nowait(make_job("from-the-future"))
    outcome = await world.outcome()
    assert outcome.state == "unavailable"
    assert "from-the-future" in outcome.error


async def test_overdue_haproxys_are_retired_also_after_their_records_could_not_be_read(world: World) -> None:
    await eventually(lambda: world.retired)
    assert world.retired == ["a-1"]
    assert world.looks == 2


async def test_beats_name_what_runs_and_what_is_not_acknowledged_yet(world: World) -> None:
    world.handlers.body = world.handlers.hang
    running, ended = make_job(), make_job("from-the-future")
    world.owner.refuse_finishes = 3
    world.owner.jobs.put_nowait(running)
    world.owner.jobs.put_nowait(ended)
    await eventually(lambda: any(set(b.live) == {token(running), token(ended)} for b in world.owner.beats))
    assert (await world.outcome()).token == token(ended)
    await eventually(lambda: world.owner.beats[-1].live == [token(running)])


async def test_progress_travels_with_the_beat_once(world: World) -> None:
    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        assert await reporter.report({"rows": 1})
        assert await reporter.report({"rows": 2})
        await reporter.publish("ch", b"{}")
        return await world.handlers.hang(job, reporter)

    world.handlers.body = body
    job = make_job()
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: any(beat.progress for beat in world.owner.beats))
    reports = [report for beat in world.owner.beats for report in beat.progress]
    assert [(r.token, r.progress) for r in reports] == [(token(job), {"rows": 2})]
    assert world.published == [("ch", b"{}")]


async def test_whatever_ends_an_attempt_its_place_is_free_again(world: World) -> None:
    class Panic(BaseException):
        pass

    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        raise Panic("index out of bounds")

    world.handlers.body = body
    world.owner.jobs.put_nowait(make_job())
    outcome = await world.outcome()
    assert (outcome.state, outcome.error) == ("failed", "Panic('index out of bounds')")
    await eventually(lambda: world.owner.beats[-1].live == [])


async def test_an_outcome_that_cannot_be_sent_is_refused_and_stops_no_other(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        return Outcome(token=token(job), state="succeeded", result={1: object()} if job.number == 1 else None)

    world.handlers.body = body
    caplog.set_level(logging.INFO, logger="actors.agents.running")
    with capture_logs() as logs:
        for number in (1, 2):
            world.owner.jobs.put_nowait(make_job(number=number))
        await eventually(lambda: len(world.owner.outcomes) == 2)
    assert {outcome.token.number: outcome.state for outcome in world.owner.outcomes} == {1: "refused", 2: "succeeded"}
    # The log says what the owner hears.
    assert sorted(line["state"] for line in logs if line["event"] == "attempt ended") == ["refused", "succeeded"]


async def test_an_outcome_that_is_too_large_is_refused_and_large_ones_travel_in_several_calls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "OUTCOME_BYTES", 10_000)
    monkeypatch.setattr(ends, "FINISH_BYTES", 12_000)

    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        return Outcome(token=token(job), state="succeeded", result="x" * (20_000 if job.number == 1 else 5_000))

    world.handlers.body = body
    world.owner.refuse_finishes = 2
    for number in range(1, 6):
        world.owner.jobs.put_nowait(make_job(number=number))
    await eventually(lambda: len(world.owner.outcomes) == 5)
    states = {outcome.token.number: outcome.state for outcome in world.owner.outcomes}
    assert states == {1: "refused"} | dict.fromkeys(range(2, 6), "succeeded")
    assert world.owner.largest <= 12_500


async def test_a_worker_goes_on_when_what_it_says_cannot_be_published(world: World) -> None:
    async def away(channel: str, data: bytes) -> None:
        raise TimeoutError("no broker")

    world.agent._publish = away
    job = make_job("task")
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: job.id in world.workers.workers)
    report = WorkerReport(token=token(job), pid=0, channel="ch", data=b"x")
    assert await world.agent.report(msgspec.msgpack.encode(report)) is True
    world.workers.workers[job.id].outcome.set_result(Outcome(token=token(job), state="succeeded"))
    assert (await world.outcome()).state == "succeeded"


async def test_a_report_whose_beat_was_lost_is_told_again(world: World) -> None:
    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        await reporter.report({"rows": 1})
        return await world.handlers.hang(job, reporter)

    world.handlers.body = body
    world.owner.lose_beats = 1
    job = make_job()
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: len([beat for beat in world.owner.beats if beat.progress]) == 2)
    reports = [report for beat in world.owner.beats for report in beat.progress]
    assert [r.progress for r in reports] == [{"rows": 1}] * 2


async def test_a_handler_that_asks_hears_that_it_is_cancelled(world: World) -> None:
    async def body(job: LeasedJob, reporter: Reporter) -> Outcome:
        await eventually(lambda: asked(reporter))
        return Outcome(token=token(job), state="cancelled")

    async def asked(reporter: Reporter) -> bool:
        return not await reporter.report(None)

    world.handlers.body = body
    job = make_job()
    world.owner.cancel = [job.id]
    world.owner.jobs.put_nowait(job)
    assert (await world.outcome()).state == "cancelled"


async def test_a_handler_that_does_not_ask_is_ended(world: World) -> None:
    world.handlers.body = world.handlers.hang
    job = make_job()
    world.owner.cancel = [job.id]
    world.owner.jobs.put_nowait(job)
    assert (await world.outcome()).state == "cancelled"


async def test_a_handler_that_takes_too_long_is_ended(world: World) -> None:
    world.handlers.body = world.handlers.hang
    world.owner.jobs.put_nowait(make_job("short"))
    outcome = await world.outcome()
    assert outcome.state == "failed"
    assert "longer than 0.2 s" in outcome.error


async def test_a_lost_lease_stops_the_job_and_nobody_hears_of_its_end(world: World) -> None:
    world.handlers.body = world.handlers.hang
    lost, next_job = make_job(), make_job("from-the-future")
    world.owner.jobs.put_nowait(lost)
    await eventually(lambda: world.handlers.started)
    world.owner.lost = [token(lost)]
    await eventually(lambda: world.owner.beats[-1].live == [])
    world.owner.jobs.put_nowait(next_job)
    assert (await world.outcome()).token == token(next_job)
    assert len(world.owner.outcomes) == 1


async def test_outcomes_are_sent_until_they_are_settled(world: World) -> None:
    world.owner.refuse_finishes = 4
    world.owner.jobs.put_nowait(make_job())
    assert (await world.outcome()).state == "succeeded"
    assert world.owner.refuse_finishes == 0


async def test_an_end_that_cannot_be_written_yet_holds_up_no_other(world: World) -> None:
    held, others = make_job(number=1), [make_job(number=number) for number in range(2, 8)]
    world.owner.unwritable = {token(held)}
    world.owner.jobs.put_nowait(held)
    await eventually(lambda: world.owner.finishes >= 2)
    for job in others:
        finishes = world.owner.finishes
        world.owner.jobs.put_nowait(job)
        await eventually(lambda job=job: token(job) in {o.token for o in world.owner.outcomes})  # type: ignore[misc]
        assert world.owner.finishes <= finishes + 2, "the first call after it carries it, at most one was on its way"
    world.owner.unwritable = set()
    await eventually(lambda: len(world.owner.outcomes) == 7)


async def test_a_task_runs_in_a_worker_that_reports_through_the_agent(world: World) -> None:
    job = make_job("task")
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: job.id in world.workers.workers)
    report = WorkerReport(token=token(job), pid=0, progress={"rows": 7}, channel="ch", data=b"x")
    assert await world.agent.report(msgspec.msgpack.encode(report)) is True
    assert world.published == [("ch", b"x")]
    stranger = WorkerReport(token=Token(job.id, job.owner, 99), pid=0)
    assert await world.agent.report(msgspec.msgpack.encode(stranger)) is False
    world.workers.workers[job.id].outcome.set_result(Outcome(token=token(job), state="succeeded"))
    assert (await world.outcome()).state == "succeeded"


async def test_what_a_worker_publishes_is_in_the_trace_of_its_job(world: World) -> None:
    tracing.configure(
        Settings(_env_file=None, otel_enabled=True),  # type: ignore[call-arg]
        process="agent",
        exporter=InMemorySpanExporter(),
    )
    traces: list[str] = []

    async def publish(channel: str, data: bytes) -> None:
        traces.append(tracing.current().get("trace_id", ""))

    world.agent._publish = publish
    job = make_job("task")
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: job.id in world.workers.workers)
    try:
        for traceparent in ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""):
            report = WorkerReport(token=token(job), pid=0, channel="ch", traceparent=traceparent)
            await world.agent.report(msgspec.msgpack.encode(report))
    finally:
        tracing.shutdown()
    assert traces == ["0af7651916cd43dd8448eb211c80319c", ""]
    world.workers.workers[job.id].outcome.set_result(Outcome(token=token(job), state="succeeded"))
    await world.outcome()


async def test_a_worker_s_death_ends_its_attempt_at_once(world: World) -> None:
    job = make_job("task")
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: job.id in world.workers.workers)
    world.workers.workers[job.id].outcome.set_exception(WorkerDied("SIGKILL"))
    outcome = await world.outcome()
    assert (outcome.state, "SIGKILL" in outcome.error) == ("died", True)


async def test_a_worker_over_its_memory_limit_is_killed(world: World) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        job = make_job("task")
        world.owner.jobs.put_nowait(job)
        await eventually(lambda: job.id in world.workers.workers)
        world.workers.memory[victim.pid] = 101.0
        await world.agent.report(msgspec.msgpack.encode(WorkerReport(token=token(job), pid=victim.pid)))
        outcome = await world.outcome()
        assert outcome.state == "died"
        assert "100 MiB" in outcome.error
        assert await asyncio.to_thread(victim.wait, 10) == -signal.SIGKILL
    finally:
        victim.kill()
        victim.wait()
        assert os.getpid() != victim.pid


async def test_a_worker_that_somebody_has_stopped_is_killed_and_its_job_goes_on_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.agents.running.STOPPED_LIMIT_S", 0.1)
    victim = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        job = make_job("task")
        world.owner.jobs.put_nowait(job)
        await eventually(lambda: job.id in world.workers.workers)
        world.workers.stopped.add(victim.pid)
        await world.agent.report(msgspec.msgpack.encode(WorkerReport(token=token(job), pid=victim.pid)))
        outcome = await world.outcome()
        assert outcome.state == "died"
        assert "was stopped" in outcome.error
        assert await asyncio.to_thread(victim.wait, 10) == -signal.SIGKILL
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize(("kind", "cancel", "state"), [("short-task", False, "failed"), ("task", True, "cancelled")])
async def test_a_worker_that_does_not_stop_is_ended(world: World, kind: str, cancel: bool, state: str) -> None:
    job = make_job(kind)
    world.owner.cancel = [job.id] if cancel else []
    world.owner.jobs.put_nowait(job)
    assert (await world.outcome()).state == state
    assert world.workers.workers[job.id].ended


async def test_a_worker_that_hangs_is_killed_before_its_end_is_told(world: World) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        victim.send_signal(signal.SIGSTOP)
        job = make_job("task")
        world.owner.jobs.put_nowait(job)
        await eventually(lambda: job.id in world.workers.workers)
        await world.agent.report(msgspec.msgpack.encode(WorkerReport(token=token(job), pid=victim.pid)))
        world.owner.cancel = [job.id]
        assert (await world.outcome()).state == "cancelled"
        assert await asyncio.to_thread(victim.wait, 10) == -signal.SIGKILL
    finally:
        victim.kill()
        victim.wait()


async def test_describe_shows_what_runs(world: World) -> None:
    job = make_job("task")
    world.owner.jobs.put_nowait(job)
    await eventually(lambda: job.id in world.workers.workers)
    (view,) = msgspec.msgpack.decode(await world.agent.describe())
    assert (view["job_id"], view["kind"], view["attempt"], view["pid"]) == (str(job.id), "task", 1, None)


async def test_the_clock_fires_schedules_and_tries_again_when_it_could_not() -> None:
    world = World(schedules=(Schedule("hourly", "inline", cron="0 * * * *"),))
    world.fail_fires = 1
    await world.agent.start(world.workers)
    await eventually(lambda: world.fired == ["hourly"])
    await world.agent.stop()
    assert world.fired == ["hourly"]


async def test_a_schedule_that_cannot_fire_holds_up_no_other_and_fires_later() -> None:
    schedules = tuple(Schedule(name, "inline", cron="0 0 1 1 *") for name in ("a", "b", "c"))
    world = World(schedules=schedules)
    world.fail_fires = 1
    await world.agent.start(world.workers)
    await eventually(lambda: len(world.fired) == 3)
    await world.agent.stop()
    assert world.fired == ["b", "c", "a"]


async def test_stopping_gives_back_what_runs() -> None:
    world = World()
    world.handlers.body = world.handlers.hang
    await world.agent.start(world.workers)
    world.owner.jobs.put_nowait(make_job())
    await eventually(lambda: world.handlers.started)
    await world.agent.stop()
    assert [outcome.state for outcome in world.owner.outcomes] == ["orphaned"]


def test_exports_never_take_all_processors_nor_more_connections_than_are_counted() -> None:
    for processes, parts in ((0, 3), (9, 8)):
        settings = Settings(_env_file=None, export_processes=processes)  # type: ignore[call-arg]
        found = [default_capacity(cpus, settings) for cpus in (1, 2, 4, 64)]
        assert [capacity["exports"] for capacity in found] == [1, 1, 2, 2]
        assert [capacity["export_parts"] for capacity in found] == [1, 1, 2, parts]
        processes_of_jobs = found[-1]["exports"] + found[-1]["export_parts"]
        assert budget(settings).workers == processes_of_jobs * CONNECTIONS_PER_WORKER
