"""One snapshot of the database, held open by a connection, that every part of an export reads."""

import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from db.exports.datasets import Dataset, Scope, get_dataset
from db.exports.models import Export
from tasks.context import Refused

BUDGET_S = 300.0
"""A snapshot keeps vacuum from cleaning up anywhere in the database; the job queue suffers first (reference B.5)."""

PART_BLOCKS = 8_192
"""64 MiB of heap per part: work that is lost when a worker dies, and the size of one file."""

PART_ROWS = 100_000
"""A part is not worth a process of its own for fewer."""

STATEMENT_TIMEOUT_MS = int(BUDGET_S * 1000)
LOCK_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What all parts see."""

    name: str
    lsn: str
    taken_at: datetime
    blocks: int
    """Heap blocks of the dataset's base table when it was taken; later blocks hold nothing that it shows."""
    rows: int
    deadline: float

    def check_budget(self) -> None:
        """Raise Refused when it has been open for too long."""
        if time.monotonic() > self.deadline:
            raise Refused(f"the export needs its snapshot for more than {BUDGET_S:.0f} s; narrow it with filters")

    def parts(self, processes: int = 1) -> list[tuple[int, int]]:
        """Half-open block ranges of one size; at least one, so that an empty export has a file too.

        Several come in multiples of `processes`, so that all of these are done at about the same time. Few rows are one
        part, however large the table that they are picked from.
        """
        end = max(1, self.blocks)
        count = max(1, min(math.ceil(end / PART_BLOCKS), math.ceil(self.rows / PART_ROWS)))
        if count > 1:
            count = math.ceil(count / processes) * processes
        size = math.ceil(end / count)
        return [(start, min(start + size, end)) for start in range(0, end, size)]


@dataclass(frozen=True, slots=True)
class Part:
    """What one file holds: the rows of a range of blocks, as a snapshot shows them."""

    dsn: str
    export_id: UUID
    snapshot: str
    dataset: Dataset
    where: str
    blocks: tuple[int, int]

    def select(self, *, for_spreadsheets: bool = False) -> str:
        """Its query."""
        return self.dataset.select(self.where, blocks=self.blocks, for_spreadsheets=for_spreadsheets)


def rows_of(export: Export) -> tuple[Dataset, str]:
    """What an export is of, and which of its rows. Raises InvalidExportFilter."""
    dataset = get_dataset(export.dataset)
    scope: Scope = "all" if export.scope == "all" else "own"
    return dataset, dataset.where(scope=scope, user_id=export.user_id, filters=export.filters)


def application_name(export_id: UUID, role: str) -> str:
    """Who a connection is, for people who look at the server's."""
    return f"mobula-export:{export_id}:{role}"[:63]


async def connect(dsn: str, export_id: UUID, role: str) -> asyncpg.Connection:
    """A connection that can only read, and cannot wait or run for ever."""
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_TIMEOUT_S,
        server_settings={
            "application_name": application_name(export_id, role),
            "timezone": "UTC",
            "jit": "off",
            "default_transaction_read_only": "on",
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(STATEMENT_TIMEOUT_MS),
        },
    )


@asynccontextmanager
async def take_snapshot(dsn: str, export_id: UUID, dataset: Dataset, where: str) -> AsyncIterator[Snapshot]:
    """Export a snapshot and keep it importable until the block ends."""
    connection = await connect(dsn, export_id, "snapshot")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(
                """
                SELECT pg_export_snapshot() AS name, now() AS taken_at,
                       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text
                           AS lsn,
                       pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint AS blocks
                """,
                dataset.base,
            )
            if row is None:
                raise RuntimeError("no snapshot")
            rows = await connection.fetchval(dataset.count(where))
            yield Snapshot(
                name=row["name"],
                lsn=row["lsn"],
                taken_at=row["taken_at"],
                blocks=row["blocks"],
                rows=rows,
                deadline=time.monotonic() + BUDGET_S,
            )
    finally:
        connection.terminate()
