"""The queue owner's statements: claim, finish, retry, rescue, each one statement that reads the owner's fence.

Plain asyncpg on connections of their own: these run all day, and a cut-off owner must not hold locks for long.
"""
# ruff: noqa: S608 - statements are put together from constants of this module only

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

STATEMENT_TIMEOUT_MS = 2_000
"""A cut-off owner's statement would block take-over: the fence row is locked FOR SHARE (DESIGN §5, 8)."""

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 4.0
MAX_ERRORS_KEPT = 10

_FENCE = "fence AS (SELECT 1 FROM jobs.owners WHERE shard = $1 AND boot = $2 FOR SHARE)"

_TAKE = """
INSERT INTO jobs.owners AS o (shard, boot) VALUES ($1, $2)
ON CONFLICT (shard) DO UPDATE SET boot = excluded.boot, fence = o.fence + 1, taken_at = now()
RETURNING fence
"""
_HELD = """
SELECT id, j.queue, kind, lease_owner, lease_no, node, attempt, max_attempts
FROM jobs.queue q JOIN jobs.jobs j USING (id) WHERE state = 'running'
"""
_STAGE = f"""
WITH {_FENCE}, due AS (
    SELECT q.id FROM jobs.queue q WHERE q.state = 'deferred' AND q.run_at <= now() AND EXISTS (SELECT FROM fence)
    ORDER BY q.run_at LIMIT 1000 FOR UPDATE SKIP LOCKED
), staged AS (
    UPDATE jobs.queue q SET state = 'ready' FROM due WHERE q.id = due.id RETURNING 1
)
SELECT (SELECT count(*) FROM staged) AS staged,
       (SELECT extract(epoch FROM min(run_at) - now())::float8 FROM jobs.queue
        WHERE state = 'deferred' AND run_at > now()) AS next_in_s,
       ARRAY(SELECT job_id FROM jobs.cancellations) AS cancelled
FROM fence
"""
# The lease number is minted by the owner ($5 + position), never read from the row: DESIGN §5, 14.
_CLAIM = f"""
WITH {_FENCE}, wanted AS (
    SELECT * FROM unnest($3::text[], $4::int[]) AS w(queue, room)
), picked AS (
    SELECT p.id, row_number() OVER () AS position FROM wanted w CROSS JOIN LATERAL (
        SELECT q.id FROM jobs.queue q
        WHERE q.queue = w.queue AND q.state = 'ready' AND EXISTS (SELECT FROM fence)
        ORDER BY q.priority, q.run_at, q.id LIMIT w.room FOR UPDATE SKIP LOCKED
    ) AS p
), claimed AS (
    UPDATE jobs.queue q
    SET state = 'running', attempt = q.attempt + 1, lease_owner = $2, lease_no = $5 + picked.position, node = $6,
        started_at = now()
    FROM picked WHERE q.id = picked.id
    RETURNING q.id, q.lease_no, q.attempt
)
SELECT c.id, c.lease_no, c.attempt, j.queue, j.kind, j.args, j.max_attempts, j.user_id, j.org_id, j.created_at,
       p.checkpoint
FROM fence LEFT JOIN (claimed c JOIN jobs.jobs j USING (id) LEFT JOIN jobs.progress p ON p.job_id = c.id) ON true
ORDER BY c.lease_no
"""
_FINISH = f"""
WITH {_FENCE}, done AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bool[])
        AS d(id, lease_owner, lease_no, state, result, error, kept)
), gone AS (
    DELETE FROM jobs.queue q USING done d
    WHERE q.id = d.id AND q.state = 'running' AND q.lease_owner = d.lease_owner AND q.lease_no = d.lease_no
      AND EXISTS (SELECT FROM fence)
    RETURNING q.id, q.priority, q.attempt, q.node, q.started_at, d.state, d.result, d.error, d.kept
), paid AS (
    DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id RETURNING j.*
), forgotten AS (
    DELETE FROM jobs.progress p USING gone g WHERE p.job_id = g.id
), filed AS (
    INSERT INTO jobs.history (id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node,
                              result, errors, created_at, started_at)
    SELECT p.id, p.queue, p.kind, p.args, g.priority, g.state, g.attempt, p.max_attempts, p.user_id, p.org_id, g.node,
           g.result::jsonb, p.errors || CASE WHEN g.error IS NULL THEN '[]' ELSE jsonb_build_array(g.error::jsonb) END,
           p.created_at, g.started_at
    FROM gone g JOIN paid p USING (id) WHERE g.kept
)
SELECT gone.id FROM fence LEFT JOIN gone ON true
"""
# Jobs that nobody runs and somebody has cancelled: given back while the wish was on its way, or ended before it came.
_END_CANCELLED = f"""
WITH {_FENCE}, asked AS (
    SELECT c.job_id AS id FROM jobs.cancellations c
    WHERE c.job_id = ANY($3::uuid[]) AND EXISTS (SELECT FROM fence)
      AND NOT EXISTS (SELECT FROM jobs.queue q WHERE q.id = c.job_id AND q.state = 'running')
), gone AS (
    DELETE FROM jobs.queue q USING asked a WHERE q.id = a.id AND q.state <> 'running' RETURNING q.*
), paid AS (
    DELETE FROM jobs.jobs j USING gone g WHERE j.id = g.id RETURNING j.*
), forgotten AS (
    DELETE FROM jobs.progress p USING gone g WHERE p.job_id = g.id
), settled AS (
    DELETE FROM jobs.cancellations c USING asked a WHERE c.job_id = a.id
), filed AS (
    INSERT INTO jobs.history (id, queue, kind, args, priority, state, attempt, max_attempts, user_id, org_id, node,
                              result, errors, created_at, started_at)
    SELECT p.id, p.queue, p.kind, p.args, g.priority, 'cancelled', g.attempt, p.max_attempts, p.user_id, p.org_id,
           g.node, NULL, p.errors, p.created_at, g.started_at
    FROM gone g JOIN paid p USING (id)
)
SELECT gone.id FROM fence LEFT JOIN gone ON true
"""
_RELEASE = f"""
WITH {_FENCE}, back AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::float8[], $7::text[], $8::bool[])
        AS b(id, lease_owner, lease_no, delay_s, error, counted)
), held AS (
    SELECT q.id FROM jobs.queue q JOIN back b USING (id)
    WHERE q.state = 'running' AND q.lease_owner = b.lease_owner AND q.lease_no = b.lease_no
      AND EXISTS (SELECT FROM fence)
    FOR UPDATE OF q SKIP LOCKED
), released AS (
    UPDATE jobs.queue q
    SET state = CASE WHEN b.delay_s > 0 THEN 'deferred' ELSE 'ready' END,
        run_at = now() + make_interval(secs => b.delay_s), lease_owner = NULL, lease_no = NULL, node = NULL,
        started_at = NULL, attempt = q.attempt - CASE WHEN b.counted THEN 0 ELSE 1 END
    FROM back b WHERE q.id = b.id AND q.id IN (SELECT id FROM held)
    RETURNING q.id, b.error
), noted AS (
    UPDATE jobs.jobs j
    SET errors = (CASE WHEN jsonb_array_length(j.errors) >= {MAX_ERRORS_KEPT} THEN j.errors - 0 ELSE j.errors END)
                 || jsonb_build_array(r.error::jsonb)
    FROM released r WHERE j.id = r.id AND r.error IS NOT NULL
)
SELECT b.id FROM fence LEFT JOIN (
    SELECT b.id FROM back b JOIN jobs.queue q USING (id)
    WHERE q.state = 'running' AND q.lease_owner = b.lease_owner AND q.lease_no = b.lease_no
      AND b.id NOT IN (SELECT id FROM released)
) AS b ON true
"""
_PROGRESS = f"""
WITH {_FENCE}, seen AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::text[])
        AS s(id, lease_owner, lease_no, progress, checkpoint)
)
INSERT INTO jobs.progress AS p (job_id, progress, checkpoint)
SELECT q.id, s.progress::jsonb, s.checkpoint::jsonb FROM seen s JOIN jobs.queue q
    ON q.id = s.id AND q.state = 'running' AND q.lease_owner = s.lease_owner AND q.lease_no = s.lease_no
WHERE EXISTS (SELECT FROM fence)
ON CONFLICT (job_id) DO UPDATE SET progress = coalesce(excluded.progress, p.progress),
    checkpoint = coalesce(excluded.checkpoint, p.checkpoint), updated_at = now()
"""
# After a crash of Postgres a claim that was committed without waiting for the disk may be gone: the row waits again
# while its job runs. The owner's memory is the newer truth, so it is written back before anything is claimed.
_REASSERT = f"""
WITH {_FENCE}, mine AS (
    SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::bigint[], $6::text[], $7::int[])
        AS m(id, lease_owner, lease_no, node, attempt)
), restored AS (
    UPDATE jobs.queue q
    SET state = 'running', lease_owner = m.lease_owner, lease_no = m.lease_no, node = m.node, attempt = m.attempt,
        started_at = now()
    FROM mine m WHERE q.id = m.id AND q.state <> 'running' AND q.attempt = m.attempt - 1 AND EXISTS (SELECT FROM fence)
    RETURNING q.id
), kept AS (
    SELECT q.id FROM jobs.queue q JOIN mine m USING (id)
    WHERE q.state = 'running' AND q.lease_owner = m.lease_owner AND q.lease_no = m.lease_no
)
SELECT held.id FROM fence LEFT JOIN (SELECT id FROM restored UNION SELECT id FROM kept) AS held ON true
"""
_BEAT = """
INSERT INTO jobs.nodes AS n (boot, node, running) VALUES ($1, $2, $3)
ON CONFLICT (boot) DO UPDATE SET running = excluded.running, last_seen_at = now()
"""
# A loose index scan: one index probe per distinct queue, however many jobs wait.
_QUEUES = """
WITH RECURSIVE q AS (
    (SELECT queue FROM jobs.queue WHERE state = 'ready' ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT n.queue FROM jobs.queue n WHERE n.state = 'ready' AND n.queue > q.queue ORDER BY n.queue LIMIT 1)
    FROM q WHERE q.queue IS NOT NULL
)
SELECT queue FROM q WHERE queue IS NOT NULL
"""


class Fenced(Exception):
    """Another owner took this shard: this one must stop, whatever it holds."""


class Disconnected(Exception):
    """The server went away. Nothing is sent before `reopen`: it may have forgotten what it acknowledged."""


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A running job's lease as the table has it."""

    id: UUID
    queue: str
    kind: str
    owner: UUID
    number: int
    node: str | None
    attempt: int
    max_attempts: int | None


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A job just leased, with everything that running it needs."""

    id: UUID
    number: int
    attempt: int
    queue: str
    kind: str
    args: dict[str, Any]
    max_attempts: int | None
    user_id: UUID | None
    org_id: UUID | None
    created_at: datetime
    checkpoint: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Staged:
    """Deferred jobs that became ready, when the next one does, and jobs that should stop or never start."""

    count: int
    next_in_s: float | None
    cancelled: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """A job's end, under its lease. `kept`: False for kinds too frequent to be worth a history row."""

    id: UUID
    owner: UUID
    number: int
    state: str
    result: Any = None
    error: dict[str, Any] | None = None
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Release:
    """A lease given back for another attempt after `delay_s`. `counted`: False when the attempt never started."""

    id: UUID
    owner: UUID
    number: int
    delay_s: float
    error: dict[str, Any] | None = None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Assertion:
    """A lease that the owner holds in memory, to be written back after a reconnect."""

    id: UUID
    owner: UUID
    number: int
    node: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ProgressNote:
    """What a running job reported, under its lease."""

    id: UUID
    owner: UUID
    number: int
    progress: dict[str, Any] | None
    checkpoint: dict[str, Any] | None


class JobStore:
    """The owner's two connections: one claims, one writes ends, so that neither waits for the other.

    They are never replaced silently, as a pool would: the owner must write its leases back first (DESIGN §5, 14). Every
    method raises Disconnected once one of them is lost, and Fenced once another boot id stands in the fence row.
    """

    def __init__(self, dsn: str, *, shard: int, boot: UUID) -> None:
        self._dsn = dsn
        self._shard = shard
        self._boot = boot
        self._claiming: asyncpg.Connection | None = None
        self._writing: asyncpg.Connection | None = None
        self._claim_turn = asyncio.Lock()
        self._write_turn = asyncio.Lock()

    async def reopen(self) -> None:
        """Connect, dropping what is left of the last connections."""
        await self.close()
        self._claiming = await self._connect()
        self._writing = await self._connect()

    async def take(self) -> int:
        """Become the owner. Returns the fence; what the former owner had open has committed or will fail."""
        await self.reopen()
        async with self._claims() as connection:
            fence: int = await connection.fetchval(_TAKE, self._shard, self._boot)
        return fence

    async def held(self) -> list[HeldRow]:
        """All running jobs. Read in a new statement after `take`."""
        async with self._claims() as connection:
            rows = await connection.fetch(_HELD)
        return [
            HeldRow(
                r["id"],
                r["queue"],
                r["kind"],
                r["lease_owner"],
                r["lease_no"],
                r["node"],
                r["attempt"],
                r["max_attempts"],
            )
            for r in rows
        ]

    async def stage(self) -> Staged:
        """Make due jobs ready; also tells which jobs are to be cancelled."""
        async with self._claims() as connection:
            rows = await connection.fetch(_STAGE, self._shard, self._boot)
        if not rows:
            raise Fenced
        row = rows[0]
        return Staged(row["staged"], row["next_in_s"], tuple(row["cancelled"]))

    async def waiting_queues(self) -> list[str]:
        """Names of queues with ready jobs."""
        async with self._claims() as connection:
            return [row["queue"] for row in await connection.fetch(_QUEUES)]

    async def claim(self, room: dict[str, int], *, base: int, node: str) -> list[ClaimedRow]:
        """Lease up to `room[queue]` ready jobs for a node, numbered upwards from `base + 1`.

        Committed without waiting for the disk: a claim lost in a crash of Postgres is only run again, and numbers are
        never reused because they come from this process's memory.
        """
        async with self._claims() as connection, connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = off")
            rows = await connection.fetch(_CLAIM, self._shard, self._boot, list(room), list(room.values()), base, node)
        if not rows:
            raise Fenced
        return [
            ClaimedRow(
                id=r["id"],
                number=r["lease_no"],
                attempt=r["attempt"],
                queue=r["queue"],
                kind=r["kind"],
                args=orjson.loads(r["args"]),
                max_attempts=r["max_attempts"],
                user_id=r["user_id"],
                org_id=r["org_id"],
                created_at=r["created_at"],
                checkpoint=orjson.loads(r["checkpoint"]) if r["checkpoint"] else None,
            )
            for r in rows
            if r["id"] is not None
        ]

    async def finish(self, items: Sequence[Finish]) -> set[UUID]:
        """End jobs. Returns those that ended; the others were no longer held under that lease and are untouched."""
        return await self._write(
            _FINISH,
            [i.id for i in items],
            [i.owner for i in items],
            [i.number for i in items],
            [i.state for i in items],
            [_json(i.result) for i in items],
            [_json(i.error) for i in items],
            [i.kept for i in items],
        )

    async def end_cancelled(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """End those of these jobs that wait and are to be cancelled; forget the wish where a job has ended.

        Returns those that were ended. Not to run beside `claim`: it ends what that might lease.
        """
        async with self._claims() as connection:
            rows = await connection.fetch(_END_CANCELLED, self._shard, self._boot, list(job_ids))
        if not rows:
            raise Fenced
        return {row["id"] for row in rows if row["id"] is not None}

    async def release(self, items: Sequence[Release]) -> set[UUID]:
        """Give leases back for another attempt. Returns those that a transaction of their own job holds just now."""
        return await self._write(
            _RELEASE,
            [i.id for i in items],
            [i.owner for i in items],
            [i.number for i in items],
            [i.delay_s for i in items],
            [_json(i.error) for i in items],
            [i.counted for i in items],
        )

    async def reassert(self, items: Sequence[Assertion]) -> set[UUID]:
        """Write leases back that a crash of Postgres forgot. Returns those that stand; the others are lost."""
        return await self._write(
            _REASSERT,
            [i.id for i in items],
            [i.owner for i in items],
            [i.number for i in items],
            [i.node for i in items],
            [i.attempt for i in items],
        )

    async def progress(self, items: Sequence[ProgressNote]) -> None:
        """Store what running jobs reported."""
        async with self._writes() as connection:
            await connection.execute(
                _PROGRESS,
                self._shard,
                self._boot,
                [i.id for i in items],
                [i.owner for i in items],
                [i.number for i in items],
                [_json(i.progress) for i in items],
                [_json(i.checkpoint) for i in items],
            )

    async def beat(self, node: str, boot: UUID, running: int) -> None:
        """Note that an agent lives, for people who look at the table."""
        async with self._writes() as connection:
            await connection.execute(_BEAT, boot, node, running)

    async def close(self) -> None:
        """Drop the connections without waiting for statements in flight."""
        for connection in (self._claiming, self._writing):
            if connection is not None:
                connection.terminate()
        self._claiming = self._writing = None

    async def _write(self, statement: str, *columns: list[Any]) -> set[UUID]:
        async with self._writes() as connection:
            rows = await connection.fetch(statement, self._shard, self._boot, *columns)
        if not rows:
            raise Fenced
        return {row["id"] for row in rows if row["id"] is not None}

    @asynccontextmanager
    async def _claims(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._claim_turn:
            yield self._living(self._claiming)

    @asynccontextmanager
    async def _writes(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._write_turn:
            yield self._living(self._writing)

    def _living(self, wanted: asyncpg.Connection | None) -> asyncpg.Connection:
        """One lost connection is reason enough to distrust both."""
        both = (self._claiming, self._writing)
        if wanted is None or any(connection is None or connection.is_closed() for connection in both):
            raise Disconnected
        return wanted

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={
                "application_name": f"mobula:jobs:{self._shard}",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
            },
        )


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()
