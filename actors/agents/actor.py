"""The agent of one node."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import msgspec
import ray
import structlog

from actors.agents.clockwork import Clockwork
from actors.agents.edge_watch import LOOK_S, EdgeWatch
from actors.agents.ends import Ends
from actors.agents.launcher import LaunchedTask, Launcher, WorkerDied, WorkerReport
from actors.agents.running import STOPPED_LIMIT_S, Running
from actors.jobs.contract import (
    BEAT_S,
    BeatReply,
    BeatRequest,
    FinishReply,
    FinishRequest,
    LeasedJob,
    Outcome,
    OutcomeState,
    PollReply,
    PollRequest,
    Registry,
    Runner,
    Schedule,
    Token,
)
from cluster import tracing
from cluster.settings import Settings
from cluster.stack import budget

POLL_WAIT_S: Final = 10.0
POLL_DEADLINE_S: Final = POLL_WAIT_S + 3.0
BEAT_DEADLINE_S: Final = 2.0
FINISH_DEADLINE_S: Final = 6.0

WATCH_EVERY_S: Final = 0.25
"""How often a worker's time, memory and orders are looked at."""

END_WAIT_S: Final = 1.0
"""A worker that was told to end has this long before it is killed, and then this long to be missed."""

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_LIMIT_S: Final = 2.0
CRON_EVERY_S: Final = 1.0

Call = Callable[[str, bytes, float], Awaitable[bytes]]
Fire = Callable[[Schedule, datetime], Awaitable[None]]
Publish = Callable[[str, bytes], Awaitable[None]]

logger = structlog.get_logger(__name__)


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """One running attempt, as `describe` shows it."""

    job_id: str
    kind: str
    attempt: int
    pid: int | None
    seconds: float


class NodeAgent:
    """Run the jobs that are leased to this node, watch them, and report. Have the node's overdue HAProxys emptied.

    One per node, named by `cluster.names.node_agent`, created by the supervisor.

    State:
        Hard: none. Soft: running attempts and outcomes that the owner has not acknowledged yet.
    Concurrency:
        Async, one event loop, which inline handlers share: a watchdog thread ends the process when one blocks it for
        long. One poll, one beat and one finish call to the owner are in flight at most, independent of each other.
    Failure:
        A worker's death ends its attempt at once. An unreachable owner is tried again for ever; meanwhile jobs go on,
        and their outcomes are kept. An attempt whose lease was given to another is stopped, and its end not reported.
    Restart:
        A new boot id; all attempts died with the process, Ray tasks included, and the owner gives them to the new one.
    """

    def __init__(
        self,
        node: str,
        *,
        registry: Registry,
        runner: Runner,
        call: Call,
        fire: Fire,
        publish: Publish,
        capacity: dict[str, int],
        edge: EdgeWatch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.boot: UUID = uuid4()
        self.node = node
        self._registry = registry
        self._runner = runner
        self._call = call
        self._fire = fire
        self._publish = publish
        self._capacity = capacity
        self._edge = edge
        self._clock = clock
        self._launcher: Launcher | None = None
        self._running: dict[Token, Running] = {}
        self._ends = Ends(clock)
        self._clockwork = Clockwork(registry.schedules)
        self._attempts: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self, launcher: Launcher) -> None:
        """Begin to ask for work."""
        self._launcher = launcher
        loops = (self._poll, self._beat, self._finish, self._cron, self._watch_edge)
        self._loops = [
            asyncio.create_task(self._for_ever(loop), name=f"agent-{loop.__name__.strip('_')}") for loop in loops
        ]

    async def stop(self) -> None:
        """Stop everything; what runs is given back, if the owner can be told."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for attempt in list(self._attempts):
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        if self._ends:
            self._ends.hurry()
            with contextlib.suppress(Exception):
                await self._finish()

    @ray.method
    async def report(self, payload: bytes) -> bool:
        """A worker reports (`WorkerReport`); True while its job should go on."""
        report = msgspec.msgpack.decode(payload, type=WorkerReport)
        running = self._running.get(report.token)
        if running is None:
            return False
        # A process of its own, or none: 0 and less are groups of processes to `kill`, this one's among them.
        running.pid = report.pid if report.pid > 0 else None
        if report.channel:
            with tracing.continuing(report.traceparent):
                await running.publish(report.channel, report.data)
        return await running.report(report.progress)

    @ray.method
    async def describe(self) -> bytes:
        """What runs here (list of `AgentView`)."""
        views = [
            AgentView(
                job_id=str(running.job.id),
                kind=running.job.kind,
                attempt=running.job.attempt,
                pid=running.pid,
                seconds=round(running.clock() - running.started_at, 3),
            )
            for running in self._running.values()
        ]
        return msgspec.msgpack.encode(views)

    def busy_with(self) -> list[str]:
        """Kinds that run inline now: for the watchdog's message."""
        return [running.job.kind for running in list(self._running.values()) if running.kind.mode == "inline"]

    # Calls to the owner -----------------------------------------------------------------------------------------------

    async def _for_ever(self, turn: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        while True:
            try:
                await turn()
                failures = 0
            except asyncio.CancelledError:
                raise
            except Exception as reason:
                if failures == 0:
                    logger.warning("agent call failed", turn=turn.__name__, reason=repr(reason))
                await asyncio.sleep(min(BACKOFF_LIMIT_S, BACKOFF_FIRST_S * 2 ** min(failures, 8)))
                failures += 1

    async def _poll(self) -> None:
        request = PollRequest(
            node=self.node, boot=self.boot, capacity=self._capacity, live=self._live(), wait_s=POLL_WAIT_S
        )
        answer = await self._call("poll", msgspec.msgpack.encode(request), POLL_DEADLINE_S)
        reply = msgspec.msgpack.decode(answer, type=PollReply)
        for job in reply.jobs:
            self._begin(job)
        self._cancel(reply.cancel)

    async def _beat(self) -> None:
        reports = [report for running in self._running.values() if (report := running.take_report())]
        request = BeatRequest(node=self.node, boot=self.boot, live=self._live(), progress=reports)
        try:
            answer = await self._call("beat", msgspec.msgpack.encode(request), BEAT_DEADLINE_S)
        except BaseException:
            for report in reports:  # nobody may have heard it: again with the next beat
                if (running := self._running.get(report.token)) is not None:
                    running.unsent = True
            raise
        reply = msgspec.msgpack.decode(answer, type=BeatReply)
        self._cancel(reply.cancel)
        self._ends.drop(reply.lost)
        for token in reply.lost:
            running = self._running.get(token)
            if running is not None:
                logger.warning("lease lost, stopping", job=str(token.id), kind=running.job.kind)
                running.ask_to_stop(lost=True)
        await asyncio.sleep(BEAT_S)

    async def _finish(self) -> None:
        await self._ends.wait()
        outcomes = self._ends.batch()
        request = FinishRequest(node=self.node, boot=self.boot, outcomes=outcomes)
        answer = await self._call("finish", msgspec.msgpack.encode(request), FINISH_DEADLINE_S)
        settled = set(msgspec.msgpack.decode(answer, type=FinishReply).settled)
        self._ends.drop(settled)
        self._ends.put_off(outcome.token for outcome in outcomes if outcome.token not in settled)

    async def _cron(self) -> None:
        failures: list[Exception] = []
        for schedule, fire_at in self._clockwork.due(datetime.now(UTC)):
            try:
                await self._fire(schedule, fire_at)
            except Exception as reason:  # the others are due all the same, and none of them twice
                self._clockwork.again(schedule)
                failures.append(reason)
        if failures:
            raise ExceptionGroup("schedules could not fire", failures)
        await asyncio.sleep(CRON_EVERY_S)

    async def _watch_edge(self) -> None:
        await self._edge.look()
        await asyncio.sleep(LOOK_S)

    def _live(self) -> list[Token]:
        return [*self._running, *self._ends]

    def _cancel(self, job_ids: list[UUID]) -> None:
        wanted = set(job_ids)
        for running in self._running.values():
            if running.job.id in wanted:
                running.ask_to_stop()

    # Attempts -------------------------------------------------------------------------------------------------------

    def _begin(self, job: LeasedJob) -> None:
        token = Token(job.id, job.owner, job.number)
        if token in self._running or token in self._ends:
            return
        kind = self._registry.kinds.get(job.kind)
        if kind is None:
            # A node with older code, or newer: another one knows it, or this one after its next start.
            error = f"no kind {job.kind!r} is registered here"
            logger.warning("job of an unknown kind", job_id=str(job.id), job_kind=job.kind, attempt=job.attempt)
            self._ends.add(Outcome(token=token, state="unavailable", error=error))
            return
        running = Running(job, kind, self._publish, self._clock)
        self._running[token] = running
        attempt = asyncio.create_task(self._run(running), name=f"job-{job.kind}")
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _run(self, running: Running) -> None:
        token = running.token
        try:
            execute = self._run_inline if running.kind.mode == "inline" else self._run_task
            outcome = await execute(running)
        except asyncio.CancelledError:
            outcome = Outcome(token=token, state="orphaned", error="the agent was stopped")
        except BaseException as error:  # whatever it is: a record that stays is a place of its queue, taken for ever
            logger.exception("attempt failed outside its handler", job=str(token.id), kind=running.job.kind)
            outcome = Outcome(token=token, state="failed", error=repr(error))
        del self._running[token]
        if not running.lost:
            outcome = self._ends.add(outcome)
        running.tell_end(outcome.state)

    async def _run_inline(self, running: Running) -> Outcome:
        work = asyncio.ensure_future(self._runner.run(running.job, running.kind, running))
        try:
            while not work.done():
                left_s = max(0.0, running.kind.timeout_s - (running.clock() - running.started_at))
                await asyncio.wait({work}, timeout=min(left_s, WATCH_EVERY_S if running.stop_asked_at else BEAT_S))
                if work.done():
                    break
                if running.timed_out:
                    return _ended(running, "failed", f"took longer than {running.kind.timeout_s:g} s")
                if running.overstayed:
                    return _ended(running, "cancelled", "")
            return work.result()
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait({work}, timeout=BEAT_S)

    async def _run_task(self, running: Running) -> Outcome:
        if self._launcher is None:
            return _ended(running, "returned", "")
        task: LaunchedTask = self._launcher.submit(running.job, running.kind)
        work = asyncio.ensure_future(task.result())
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=WATCH_EVERY_S)
                if work.done():
                    break
                if running.timed_out:
                    return _ended(running, "failed", f"took longer than {running.kind.timeout_s:g} s")
                if running.overstayed:
                    return _ended(running, "cancelled", "")
                if running.pid is not None and self._launcher.memory_mb(running.pid) > running.kind.memory_mb:
                    _kill(running.pid)
                    return _ended(running, "died", f"used more memory than {running.kind.memory_mb} MiB")
                if running.stands_still(running.pid is not None and self._launcher.is_stopped(running.pid)):
                    return _ended(running, "died", f"its process was stopped for {STOPPED_LIMIT_S:g} s")
            return work.result()
        except WorkerDied as reason:
            if running.stop_asked_at is not None:
                return _ended(running, "cancelled", "")
            logger.warning("worker died", job=str(running.job.id), kind=running.job.kind, reason=str(reason)[:300])
            return _ended(running, "died", f"worker died: {reason}")
        finally:
            if not work.done():
                await _end_worker(task, work, running.pid)


async def _end_worker(task: LaunchedTask, work: asyncio.Future[Outcome], pid: int | None) -> None:
    """End a worker for certain: what asks the process itself does not end one that is stopped or stuck."""
    task.end()
    await asyncio.wait({work}, timeout=END_WAIT_S)
    if not work.done() and pid is not None:
        _kill(pid)
        await asyncio.wait({work}, timeout=END_WAIT_S)
    if work.done():
        work.exception()  # that it died is no news
    else:
        work.cancel()
        await asyncio.wait({work}, timeout=BEAT_S)


def _ended(running: Running, state: OutcomeState, error: str) -> Outcome:
    return Outcome(token=running.token, state=state, error=error)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def default_capacity(cpus: int, settings: Settings) -> dict[str, int]:
    """How many jobs of each queue run at once on one node. Exports take a processor each, mostly of the database's, and
    connections, which `budget` counts. Their part jobs have places of their own: an export never waits for those of
    another.
    """
    return {
        "default": 16,
        "events": 16,
        "mail": 8,
        "orders": 8,
        "maintenance": 2,
        **{queue: min(most, max(1, cpus // 2)) for queue, most in budget.job_workers(settings).items()},
        "probe": 64,  # these do nothing (`./mobula bench jobs`)
        "probe-limited": 64,
        "*": 4,
    }
