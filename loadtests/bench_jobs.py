"""Durable jobs per second and how soon one starts: alone, among 1,000 keys under a limit, beside a busy tenant.

The jobs do nothing but say when they began (kind `jobs.probe`); each is a row that commits, is claimed, run by a node's
agent, and filed. They are enqueued as any service does it, in a transaction of Postgres, after which the queue owner is
woken. Rates are those of draining what was enqueued beforehand, latencies are from the commit to the first line of the
handler, on the clock of one machine.

The peer does the same to the same rows with nothing between: the owner's own statements, batch after batch, in an empty
database of the same server. Nobody who keeps jobs in these tables can be faster.
"""

import asyncio
import os
import secrets
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from statistics import median
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy import text

from cluster.settings import Settings
from loadtests import joining
from loadtests.processes import CpuMeter
from loadtests.report import Report, percentile
from loadtests.stack import Stack, StackNotReady

KIND = "jobs.probe"
FREE, LIMITED = "probe", "probe-limited"
"""Queues of `tasks/registry.py`, with as many places per node; the second allows four at once of each key."""

KEYS = 1_000
JOBS_PER_S = 3_000
"""So many are enqueued for each second of draining: more than two cores run."""

CHUNK = 1_000
ROUNDS = 3
LATENCIES = 200
PAUSE_S = 0.02
BATCH = 50
SETTLE_S = 30.0
LOOK_S = 0.1

KeyOf = Callable[[int], str | None]


class Jobs:
    """Enqueues probes and looks what became of them."""

    def __init__(self, settings: Settings) -> None:
        from actors.jobs import handle
        from db.effects import JobsEnqueued, enqueued
        from db.session import Database

        self._database = Database(settings.asyncpg_dsn, pool_size=2, max_overflow=0, application_name="bench-jobs")
        self._committed_at = 0.0

        async def wake(effects: Sequence[JobsEnqueued]) -> None:
            self._committed_at = time.time()
            await handle.wake(enqueued(effects))

        self._database.on_commit(JobsEnqueued, wake)

    async def add(self, queue: str, count: int, key_of: KeyOf) -> tuple[list[UUID], float]:
        """Enqueue in one transaction. Returns the jobs' ids, and when that had committed."""
        from db.jobs.queue import NewJob, enqueue_many

        ids: list[UUID] = []
        async with self._database.transaction() as session:
            for start in range(0, count, CHUNK):
                chunk = range(start, min(count, start + CHUNK))
                ids += await enqueue_many(session, [NewJob(KIND, queue=queue, key=key_of(n)) for n in chunk])
        return ids, self._committed_at

    async def left(self, queue: str) -> int:
        """How many have not ended."""
        async with self._database.transaction() as session:
            statement = text("SELECT count(*) FROM jobs.queue WHERE queue = :queue")
            return int(await session.scalar(statement, {"queue": queue}) or 0)

    async def forget(self, queue: str) -> None:
        """Take back what waits, and wait for what runs."""
        async with self._database.transaction() as session:
            await session.execute(
                text(
                    "WITH gone AS (DELETE FROM jobs.queue WHERE queue = :queue AND state = 'ready' RETURNING id)"
                    " DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id"
                ),
                {"queue": queue},
            )
        await self.drained(queue, SETTLE_S)

    async def drained(self, queue: str, seconds: float) -> tuple[int, float]:
        """Wait until nothing is left, at most so long. Returns how many are left, and for how long it was waited."""
        started = time.perf_counter()
        while True:
            left, waited = await self.left(queue), time.perf_counter() - started
            if not left or waited >= seconds:
                return left, waited
            await asyncio.sleep(min(LOOK_S, max(0.0, seconds - waited)))

    async def began(self, ids: Sequence[UUID]) -> dict[UUID, float]:
        """When the handlers of jobs that have ended began."""
        async with self._database.transaction() as session:
            rows = await session.execute(
                text(
                    "SELECT id, (result ->> 'began')::float8 AS began FROM jobs.history"
                    " WHERE id = ANY(CAST(:ids AS uuid[]))"
                ),
                {"ids": list(ids)},
            )
            return {row.id: row.began for row in rows if row.began is not None}

    async def close(self) -> None:
        """Close the connections."""
        await self._database.dispose()


async def drain(jobs: Jobs, queue: str, key_of: KeyOf, seconds: float) -> float:
    """Jobs per second, from the commit of many of them on."""
    count = int(JOBS_PER_S * seconds)
    await jobs.add(queue, count, key_of)
    left, waited = await jobs.drained(queue, seconds)
    await jobs.forget(queue)
    return (count - left) / waited


async def starts(jobs: Jobs, queue: str, key: str | None, count: int) -> "array[int]":
    """Microseconds from the commit of one job to the start of its handler, one job after the other."""
    committed: dict[UUID, float] = {}
    for _ in range(count):
        (job_id,), at = await jobs.add(queue, 1, lambda _: key)
        committed[job_id] = at
        await asyncio.sleep(PAUSE_S)
    began: dict[UUID, float] = {}
    until = time.perf_counter() + SETTLE_S
    while len(began) < count and time.perf_counter() < until:
        began = await jobs.began(list(committed))
        await asyncio.sleep(PAUSE_S)
    if len(began) < count:
        raise StackNotReady(f"{count - len(began)} of {count} jobs did not run within {SETTLE_S:.0f} s")
    return array("I", (max(0, int((began[job_id] - at) * 1e6)) for job_id, at in committed.items()))


async def run(stack: Stack, seconds: float = 9.0) -> Report:
    """Measure rates and latencies, with and without keys, and the floor."""
    await stack.check()
    settings = joining.join()
    report = Report("jobs")
    processes = [*stack.shard_hosts(), *stack.agents()]
    jobs = Jobs(settings)
    try:
        await starts(jobs, FREE, None, 10)  # everything is imported and connected
        idle = await starts(jobs, FREE, None, LATENCIES)
        rates = await _rates(jobs, report, processes, seconds)
        quiet = await starts(jobs, FREE, "quiet", LATENCIES)
        beside = await _beside_a_busy_tenant(jobs, seconds)
    finally:
        for queue in (FREE, LIMITED):
            await jobs.forget(queue)
        await jobs.close()
    _latency(report, "commit to start, idle:", idle, p50="≤ 3", p95="≤ 8")
    report.add("1,000 keys, at most 4 of each, ÷ without keys", ratio(rates["limited"], rates["plain"]), "×", "≥ 0.8")
    report.add("1,000 keys, at most 4 of each, ÷ 1,000 keys", ratio(rates["limited"], rates["keys"]), "×", "≥ 0.8")
    _latency(report, "quiet tenant, alone:", quiet)
    _latency(report, "quiet tenant beside a busy one:", beside)
    report.add(
        "quiet tenant's p95, beside ÷ alone", ratio(percentile(beside, 0.95), percentile(quiet, 0.95)), "×", "≤ 2"
    )
    try:
        bare = await floor(settings, seconds)
    except asyncpg.PostgresError as error:
        report.notes.append(f"no floor: {error}")
    else:
        report.add("same statements alone", bare, "jobs/s")
        report.add("without keys ÷ same statements alone", ratio(rates["plain"], bare), "×", "≥ 0.5")
    report.notes.append(
        f"{os.cpu_count()} cores; medians of {ROUNDS} interleaved rounds; every job is filed in history"
    )
    return report


async def _rates(jobs: Jobs, report: Report, processes: Sequence[Any], seconds: float) -> dict[str, float]:
    variants: dict[str, tuple[str, str, KeyOf]] = {
        "plain": ("no-op jobs without keys", FREE, lambda _: None),
        "keys": ("no-op jobs of 1,000 keys", FREE, lambda n: f"tenant-{n % KEYS}"),
        "limited": ("no-op jobs of 1,000 keys, at most 4 of each", LIMITED, lambda n: f"tenant-{n % KEYS}"),
    }
    found: dict[str, list[float]] = {name: [] for name in variants}
    used: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, (_, queue, key_of) in variants.items():
            meter, started = CpuMeter(processes).start(), time.perf_counter()
            found[name].append(await drain(jobs, queue, key_of, seconds / ROUNDS))
            used[name].append(meter.stop() / (time.perf_counter() - started))
    for name, (title, _, _) in variants.items():
        report.add(title, median(found[name]), "jobs/s")
        report.add(f"{title}: slowest and fastest round apart", ratio(max(found[name]), min(found[name])), "×")
        report.add(f"{title}: shard host and agent", 100 * median(used[name]), "% of a core")
    return {name: median(rates) for name, rates in found.items()}


async def _beside_a_busy_tenant(jobs: Jobs, seconds: float) -> "array[int]":
    """The quiet tenant's starts while another always has jobs waiting."""
    await jobs.add(FREE, int(JOBS_PER_S * max(seconds, LATENCIES * PAUSE_S * 3)), lambda _: "busy")
    found = await starts(jobs, FREE, "quiet", LATENCIES)
    if not await jobs.left(FREE):
        raise StackNotReady("the busy tenant ran out of jobs: raise JOBS_PER_S")
    await jobs.forget(FREE)
    return found


def _latency(report: Report, name: str, samples_us: "array[int]", *, p50: str = "", p95: str = "") -> None:
    report.add(f"{name} p50", percentile(samples_us, 0.50) / 1000, "ms", p50)
    report.add(f"{name} p95", percentile(samples_us, 0.95) / 1000, "ms", p95)


def ratio(value: float, other: float) -> float:
    """NaN where there is nothing to compare with."""
    return value / other if other else float("nan")


async def floor(settings: Settings, seconds: float) -> float:
    """Jobs per second when the claim and the end of a batch follow one another, and nothing else happens."""
    from db import migrate
    from db.jobs.store import Finish, JobStore

    name = f"bench_jobs_{secrets.token_hex(4)}"
    server = await asyncpg.connect(settings.asyncpg_dsn)
    await server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    dsn = urlunsplit(urlsplit(settings.asyncpg_dsn)._replace(path=f"/{name}"))
    boot = uuid4()
    store = JobStore(dsn, shard=0, boot=boot)
    try:
        await asyncio.to_thread(migrate.upgrade, dsn)
        await fill(dsn, int(JOBS_PER_S * seconds))
        await store.take()
        done = 0
        started = time.perf_counter()
        claimed = await store.claim({FREE: BATCH}, base=0, node="bench")
        while claimed and time.perf_counter() - started < seconds:
            ends = [Finish(job.id, boot, job.number, "succeeded", {"began": time.time()}) for job in claimed]
            # As the owner does it: the next claim does not wait for the last end.
            following, _ = await asyncio.gather(
                store.claim({FREE: BATCH}, base=done + BATCH, node="bench"), store.finish(ends)
            )
            done += len(claimed)
            claimed = following
        return done / (time.perf_counter() - started)
    finally:
        await store.close()
        with suppress(asyncpg.PostgresError):
            await server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await server.close()


async def fill(dsn: str, count: int) -> None:
    """Rows to work off."""
    from db.jobs.queue import NewJob, enqueue_many
    from db.session import Database

    database = Database(dsn, pool_size=1, max_overflow=0, application_name="bench-jobs")
    try:
        for _ in range(0, count, CHUNK):
            async with database.transaction() as session:
                await enqueue_many(session, [NewJob(KIND, queue=FREE) for _ in range(CHUNK)])
        async with database.transaction() as session:
            await session.execute(text("ANALYZE jobs.queue"))
    finally:
        await database.dispose()
