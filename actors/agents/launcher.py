"""How an agent starts a job as a Ray task of its own, and the other end: what runs in that worker."""

import asyncio
import contextlib
import os
from typing import Any, Final, Protocol

import msgspec
import psutil
import ray
import structlog
from ray.actor import ActorProxy
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.jobs.contract import Kind, LeasedJob, Outcome, Token
from actors.jobs.registry import load_registry, load_runner
from cluster import telemetry, tracing
from cluster.settings import get_settings

MAX_CALLS: Final = 20
"""A worker process ends after this many jobs: what their libraries leaked goes with it."""

HEARTBEAT_S: Final = 1.0
"""A handler that reports nothing is asked this often whether it should go on."""

REPORT_DEADLINE_S: Final = 5.0
OOM_SCORE: Final = 800
"""When the machine runs out of memory the kernel ends jobs before it ends shards."""


logger = structlog.get_logger(__name__)


class WorkerReport(msgspec.Struct, frozen=True, kw_only=True):
    """A worker tells its agent how far it is."""

    token: Token
    pid: int
    progress: dict[str, Any] | None = None
    channel: str = ""
    data: bytes = b""
    traceparent: str = ""


class ReportSink(Protocol):
    """The part of the agent that workers call."""

    @ray.method
    async def report(self, payload: bytes) -> bool:
        """Take a `WorkerReport`; True while the job should go on."""


class WorkerDied(Exception):
    """The process that ran the job is gone, or was never there."""


class LaunchedTask(Protocol):
    """A job in a process of its own."""

    async def result(self) -> Outcome:
        """Wait for its end. Raises WorkerDied."""

    def end(self) -> None:
        """End the process, whatever it does."""


class Launcher(Protocol):
    """Starts jobs in processes of their own."""

    def submit(self, job: LeasedJob, kind: Kind) -> LaunchedTask:
        """Start one."""

    def memory_mb(self, pid: int) -> float:
        """Resident memory of a worker; 0 when it is gone."""

    def is_stopped(self, pid: int) -> bool:
        """Whether somebody has stopped a worker's process (SIGSTOP)."""


class RayTask:
    """A running Ray task."""

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    async def result(self) -> Outcome:
        """Wait for its end. Raises WorkerDied."""
        try:
            answer: bytes = await self._reference
        except ray.exceptions.RayTaskError as error:
            raise WorkerDied(f"the worker could not run the job: {error}") from error
        except ray.exceptions.RayError as error:
            raise WorkerDied(str(error) or repr(error)) from error
        return msgspec.msgpack.decode(answer, type=Outcome)

    def end(self) -> None:
        """Kill the worker."""
        with contextlib.suppress(Exception):
            ray.cancel(self._reference, force=True)


class RayLauncher:
    """Starts Ray tasks on this node. Ray never retries by itself: Postgres is the only authority."""

    def __init__(self, node: str, sink: ActorProxy[ReportSink]) -> None:
        self._sink = sink
        self._here = NodeAffinitySchedulingStrategy(node, soft=False)
        self._task: Any = ray.remote(max_calls=MAX_CALLS, max_retries=0, retry_exceptions=False, num_cpus=0)(execute)

    def submit(self, job: LeasedJob, kind: Kind) -> LaunchedTask:
        """Start one."""
        task = self._task.options(name=f"job:{kind.name}", scheduling_strategy=self._here)
        return RayTask(task.remote(msgspec.msgpack.encode(job), self._sink))

    def memory_mb(self, pid: int) -> float:
        """Resident memory of a worker; 0 when it is gone."""
        try:
            return float(psutil.Process(pid).memory_info().rss) / 2**20
        except psutil.Error:
            return 0.0

    def is_stopped(self, pid: int) -> bool:
        """Whether somebody has stopped a worker's process (SIGSTOP). One that a debugger holds is not."""
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        except psutil.Error:
            return False


class AgentReporter:
    """The worker's line to its agent (`Reporter`)."""

    def __init__(self, job: LeasedJob, sink: ActorProxy[ReportSink]) -> None:
        self._token = Token(job.id, job.owner, job.number)
        self._sink = sink
        self._go_on = True
        self._failed = False

    async def report(self, progress: dict[str, Any] | None) -> bool:
        """Hand over progress; True while the job should go on."""
        return await self._send(progress=progress)

    async def publish(self, channel: str, data: bytes) -> None:
        """Publish through the agent, best effort."""
        await self._try(channel=channel, data=data, traceparent=tracing.traceparent())

    async def keep_in_touch(self) -> None:
        """Say where this worker is, and ask regularly whether to go on."""
        while True:
            await self._try()
            await asyncio.sleep(HEARTBEAT_S)

    async def _try(self, **fields: Any) -> None:
        """Send what the handler does not depend on."""
        try:
            await self._send(**fields)
        except Exception as reason:
            if not self._failed:
                self._failed = True
                logger.warning("worker cannot reach its agent", job=str(self._token.id), reason=repr(reason))

    async def _send(self, **fields: Any) -> bool:
        report = WorkerReport(token=self._token, pid=os.getpid(), **fields)
        try:
            async with asyncio.timeout(REPORT_DEADLINE_S):
                self._go_on = await self._sink.report.remote(msgspec.msgpack.encode(report))
        except TimeoutError:
            pass  # the agent is busy or stopped; if it is gone, Ray ends this worker with it
        return self._go_on


def execute(payload: bytes, sink: ActorProxy[ReportSink]) -> bytes:
    """Run one job in this worker (Ray's entry)."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(OOM_SCORE))
    telemetry.start(get_settings(), process="worker")
    return asyncio.run(_execute(msgspec.msgpack.decode(payload, type=LeasedJob), sink))


async def _execute(job: LeasedJob, sink: ActorProxy[ReportSink]) -> bytes:
    from actors.agents import effects  # noqa: PLC0415 - for workers only: the supervisor imports this module too
    from db.session import Database  # noqa: PLC0415 - as above

    settings = get_settings()
    kind = load_registry().kinds[job.kind]
    database = Database(settings.asyncpg_dsn, pool_size=1, max_overflow=1, application_name=f"mobula-job:{job.kind}")
    effects.register(database)
    reporter = AgentReporter(job, sink)
    touch = asyncio.create_task(reporter.keep_in_touch(), name="keep-in-touch")
    try:
        outcome = await load_runner()(settings, database).run(job, kind, reporter)
    finally:
        touch.cancel()
        await asyncio.gather(touch, return_exceptions=True)
        await database.dispose()
    return msgspec.msgpack.encode(outcome)
