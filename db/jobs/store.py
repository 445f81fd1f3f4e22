"""The queue owner's statements: claim, finish, retry, rescue, each one statement that reads the owner's fence.

Plain asyncpg on connections of their own: these run all day, and a cut-off owner must not hold locks for long.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import structlog

from db.jobs import statements as sql

STATEMENT_TIMEOUT_MS = 2_000
"""A cut-off owner's statement would block take-over: the fence row is locked FOR SHARE (DESIGN §5, 8)."""

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 4.0

LOCK_TIMEOUT_MS = 100
"""What a handler's own transaction holds (its lease, its checkpoint) is its business for as long as that takes, which
may be long when it hangs. Nobody else's jobs wait for it."""


MAX_REASON_CHARACTERS = 500
"""The server may quote what it refuses."""

logger = structlog.get_logger(__name__)


class Fenced(Exception):
    """Another owner took this shard: this one must stop, whatever it holds."""


class Busy(Exception):
    """Transactions of these jobs' own handlers hold their leases just now. Nothing was written."""

    def __init__(self, job_ids: set[UUID]) -> None:
        super().__init__(f"{len(job_ids)} jobs are held by their handlers")
        self.job_ids = job_ids


class Unstorable(Exception):
    """The database takes one of these values never, however often it is tried. Nothing was written."""


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
    spared: int
    key: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """Where the jobs of one key wait in a queue, and how many of them may be leased."""

    queue: str
    key: str
    room: int


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
    spared: int
    key: str | None = None
    more: bool = False
    """Whether its key has others ready."""
    traceparent: str = ""
    waited_s: float = 0.0
    """Since it was due."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What has become ready, when the next deferred job does, and jobs that should stop or never start."""

    queues: tuple[str, ...]
    """Of jobs without a key."""
    keys: tuple[tuple[str, str], ...]
    """(queue, key) of the others."""
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
    """A lease given back for another attempt after `delay_s`. `counted`: False when the attempt was not the job's.

    `spared`: it was not counted although it may have begun; how often that happened stands in the row.
    """

    id: UUID
    owner: UUID
    number: int
    delay_s: float
    error: dict[str, Any] | None = None
    counted: bool = True
    spared: bool = False


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
        self._writing = await self._connect(lock_timeout_ms=LOCK_TIMEOUT_MS)

    async def take(self) -> int:
        """Become the owner. Returns the fence; what the former owner had open has committed or will fail."""
        await self.reopen()
        async with self._claims() as connection:
            fence: int = await connection.fetchval(sql.TAKE, self._shard, self._boot)
        return fence

    async def last_words(self) -> None:
        """After `reopen`: wait until what the lost connections had begun has committed, or never will."""
        async with self._claims() as connection:
            if await connection.fetchval(sql.LAST_WORDS, self._shard, self._boot) is None:
                raise Fenced

    async def held(self) -> list[HeldRow]:
        """All running jobs, the longest running first. Read in a new statement after `take` or `last_words`."""
        async with self._claims() as connection:
            rows = await connection.fetch(sql.HELD)
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
                r["spared"],
                r["key"],
            )
            for r in rows
        ]

    async def stage(self) -> Staged:
        """Make due jobs ready; also tells which jobs are to be cancelled."""
        async with self._claims() as connection:
            rows = await connection.fetch(sql.STAGE, self._shard, self._boot)
        if not rows:
            raise Fenced
        row = rows[0]
        keys = tuple((queue, key) for queue, key in row["keys"])
        return Staged(tuple(row["staged"]), keys, row["next_in_s"], tuple(row["cancelled"]))

    async def waiting_queues(self) -> list[str]:
        """Names of queues with ready jobs that have no key."""
        async with self._claims() as connection:
            return [row["queue"] for row in await connection.fetch(sql.QUEUES)]

    async def waiting_keys(self, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
        """The next (queue, key) with ready jobs behind `after`, in order, `limit` at most."""
        async with self._claims() as connection:
            return [(row["queue"], row["key"]) for row in await connection.fetch(sql.KEYS, *after, limit)]

    async def claim(
        self, room: Mapping[str, int], lines: Sequence[Line] = (), *, base: int, node: str
    ) -> list[ClaimedRow]:
        """Lease up to `room[queue]` ready jobs without a key, and those of `lines`, numbered upwards from `base + 1`.

        Committed without waiting for the disk: a claim lost in a crash of Postgres is only run again, and numbers are
        never reused because they come from this process's memory.
        """
        async with self._claims() as connection:
            given = (self._shard, self._boot, list(room), list(room.values()), base, node)
            if lines:
                columns = ([line.queue for line in lines], [line.key for line in lines], [line.room for line in lines])
                rows = await connection.fetch(sql.CLAIM_KEYS, *given, *columns)
            else:
                rows = await connection.fetch(sql.CLAIM, *given)
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
                traceparent=r["traceparent"] or "",
                waited_s=max(0.0, r["waited_s"]),
                spared=r["spared"],
                key=r["key"],
                more=bool(lines) and r["more"],
            )
            for r in rows
            if r["id"] is not None
        ]

    async def finish(self, items: Sequence[Finish]) -> set[UUID]:
        """End jobs. Returns those that ended; the others were no longer held under that lease and are untouched.

        Raises Busy, naming those that must wait; try again without them. Raises Unstorable for all when one is.
        """
        ids = [i.id for i in items]
        try:
            return await self._write(
                sql.FINISH,
                ids,
                [i.owner for i in items],
                [i.number for i in items],
                [i.state for i in items],
                [_json(i.result) for i in items],
                [_json(i.error) for i in items],
                [i.kept for i in items],
            )
        except asyncpg.LockNotAvailableError:
            raise Busy(await self._write(sql.BUSY, ids)) from None

    async def end_cancelled(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """End those of these jobs that wait and are to be cancelled; forget the wish where a job has ended.

        Returns those that were ended. Not to run beside `claim`: it ends what that might lease.
        """
        async with self._claims() as connection:
            rows = await connection.fetch(sql.END_CANCELLED, self._shard, self._boot, list(job_ids))
        if not rows:
            raise Fenced
        return {row["id"] for row in rows if row["id"] is not None}

    async def release(self, items: Sequence[Release]) -> set[UUID]:
        """Give leases back for another attempt. Returns those that a transaction of their own job holds just now.

        Raises Unstorable for all when one is.
        """
        return await self._write(
            sql.RELEASE,
            [i.id for i in items],
            [i.owner for i in items],
            [i.number for i in items],
            [i.delay_s for i in items],
            [_json(i.error) for i in items],
            [i.counted for i in items],
            [i.spared for i in items],
        )

    async def reassert(self, items: Sequence[Assertion]) -> set[UUID]:
        """Write leases back that a crash of Postgres forgot. Returns those that stand; the others are lost."""
        return await self._write(
            sql.REASSERT,
            [i.id for i in items],
            [i.owner for i in items],
            [i.number for i in items],
            [i.node for i in items],
            [i.attempt for i in items],
        )

    async def progress(self, items: Sequence[ProgressNote]) -> list[ProgressNote]:
        """Store what running jobs reported. Returns what must wait: its job's own transaction saves a checkpoint.

        What cannot be stored is dropped.
        """
        try:
            await self._note(items)
        except (asyncpg.LockNotAvailableError, Unstorable) as reason:
            if len(items) == 1:
                if isinstance(reason, asyncpg.LockNotAvailableError):
                    return list(items)
                logger.warning("progress cannot be stored", job=str(items[0].id), reason=str(reason))
                return []
            half = len(items) // 2
            return await self.progress(items[:half]) + await self.progress(items[half:])
        return []

    async def _note(self, items: Sequence[ProgressNote]) -> None:
        async with self._writes() as connection, _storable():
            await connection.execute(
                sql.PROGRESS,
                self._shard,
                self._boot,
                [i.id for i in items],
                [i.owner for i in items],
                [i.number for i in items],
                [_json(i.progress) for i in items],
            )

    async def beat(self, node: str, boot: UUID, running: int) -> None:
        """Note that an agent lives, for people who look at the table."""
        async with self._writes() as connection:
            await connection.execute(sql.BEAT, boot, node, running)

    async def close(self) -> None:
        """Drop the connections without waiting for statements in flight."""
        for connection in (self._claiming, self._writing):
            if connection is not None:
                connection.terminate()
        self._claiming = self._writing = None

    async def _write(self, statement: str, *columns: list[Any]) -> set[UUID]:
        async with self._writes() as connection, _storable():
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

    async def _connect(self, *, lock_timeout_ms: int = 0) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=COMMAND_TIMEOUT_S,
            server_settings={
                "application_name": f"mobula:jobs:{self._shard}",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(lock_timeout_ms),
                "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
            },
        )


@asynccontextmanager
async def _storable() -> AsyncIterator[None]:
    """Tell what is wrong with the values from what is wrong with the server."""
    try:
        yield
    except (asyncpg.DataError, asyncpg.ProgramLimitExceededError) as error:
        raise Unstorable(str(error)[:MAX_REASON_CHARACTERS]) from error


def _json(value: Any) -> str | None:
    try:
        return None if value is None else orjson.dumps(value, default=str).decode()
    except (TypeError, RecursionError) as error:
        raise Unstorable(str(error)[:MAX_REASON_CHARACTERS]) from error
