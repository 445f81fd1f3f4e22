"""The parts of a large export: who has which, and which are written.

The export's own job plans them, and takes parts like the part jobs beside it; whoever is free takes the next.
Everything is written in a transaction that holds the writing job's lease. `run` names one attempt of the export's own
job, and so one snapshot: parts of another run are nobody's to take or to keep.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.exports.models import Export, ExportPart
from db.jobs.errors import JobFinished, JobNotFound
from db.jobs.queue import NewJob, enqueue_many
from db.jobs.service import cancel_job

QUEUE = "export_parts"
KIND = "exports.write_parts"

# Whoever had a part and does not run any more has lost it: a killed worker's part is the next one's who is free.
_TAKE = text(
    """
    WITH free AS (
        SELECT p.number FROM app.export_parts p
        WHERE p.export_id = :export_id AND p.run = :run AND p.name IS NULL
          AND (p.job_id IS NULL OR p.job_id = :job_id
               OR NOT EXISTS (SELECT FROM jobs.queue q WHERE q.id = p.job_id AND q.state = 'running'))
        ORDER BY p.number LIMIT 1 FOR UPDATE OF p SKIP LOCKED
    )
    UPDATE app.export_parts p SET job_id = :job_id FROM free
    WHERE p.export_id = :export_id AND p.number = free.number
    RETURNING p.number, p.first_block, p.end_block
    """
)
# What the others have written, and what they last said of the part that each is at.
_ROWS_OF_OTHERS = text(
    """
    SELECT coalesce(sum(CASE
        WHEN p.name IS NOT NULL THEN p.rows
        WHEN (said.progress ->> 'part')::integer = p.number THEN (said.progress ->> 'rows')::bigint
        ELSE 0 END), 0)
    FROM app.export_parts p LEFT JOIN jobs.progress said ON said.job_id = p.job_id
    WHERE p.export_id = :export_id AND p.run = :run AND p.job_id <> :job_id
    """
)
_WANTED = text(
    """
    SELECT EXISTS (
        SELECT FROM app.exports e JOIN jobs.queue q ON q.id = e.job_id AND q.state = 'running'
        JOIN app.export_parts p ON p.export_id = e.id AND p.run = :run
        WHERE e.id = :export_id AND e.state = 'running'
    )
    """
)


@dataclass(frozen=True, slots=True)
class FinishedFile:
    """One file that the manifest vouches for."""

    name: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TakenPart:
    """A part that is this job's to write: a half-open range of blocks."""

    number: int
    blocks: tuple[int, int]


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part that is written."""

    file: FinishedFile
    blocks: tuple[int, int]


async def plan(
    session: AsyncSession,
    export: Export,
    *,
    run: str,
    snapshot: str,
    ranges: Sequence[tuple[int, int]],
    jobs: int,
) -> None:
    """Begin a run: its parts, and as many part jobs beside the export's own."""
    await forget(session, export)
    await session.execute(
        insert(ExportPart),
        [
            {"export_id": export.id, "number": number, "run": run, "first_block": first, "end_block": end}
            for number, (first, end) in enumerate(ranges)
        ],
    )
    args = {"export_id": str(export.id), "run": run, "snapshot": snapshot}
    job = NewJob(KIND, args, queue=QUEUE, key=str(export.user_id), user_id=export.user_id, org_id=export.org_id)
    export.part_job_ids = await enqueue_many(session, [job] * jobs)
    await session.flush()


async def forget(session: AsyncSession, export: Export) -> None:
    """End what an earlier run left: its part jobs, and its parts."""
    await dismiss(session, export.part_job_ids)
    await discard(session, [export.id])
    export.part_job_ids = []
    await session.flush()


async def dismiss(session: AsyncSession, job_ids: Sequence[UUID]) -> None:
    """End part jobs: at once those that wait, within seconds those that run."""
    for job_id in job_ids:
        with contextlib.suppress(JobNotFound, JobFinished):
            await cancel_job(session, job_id)


async def discard(session: AsyncSession, export_ids: Sequence[UUID]) -> None:
    """Delete the parts of exports that need them no more."""
    await session.execute(delete(ExportPart).where(ExportPart.export_id.in_(export_ids)))


async def take(session: AsyncSession, export_id: UUID, run: str, job_id: UUID) -> TakenPart | None:
    """The next part for this job to write: one that nobody has, or whose job does not run any more."""
    row = (await session.execute(_TAKE, {"export_id": export_id, "run": run, "job_id": job_id})).first()
    return TakenPart(row.number, (row.first_block, row.end_block)) if row is not None else None


async def keep(session: AsyncSession, export_id: UUID, run: str, job_id: UUID, number: int, file: FinishedFile) -> bool:
    """The part is written. False, and nothing is done, when it is not this job's any more."""
    statement = (
        update(ExportPart)
        .where(
            ExportPart.export_id == export_id,
            ExportPart.run == run,
            ExportPart.number == number,
            ExportPart.job_id == job_id,
            ExportPart.name.is_(None),
        )
        .values(name=file.name, rows=file.rows, bytes=file.bytes, sha256=file.sha256)
        .returning(ExportPart.number)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).first() is not None


async def count_unwritten(session: AsyncSession, export_id: UUID, run: str) -> int:
    """How many parts are not written yet."""
    statement = (
        select(func.count())
        .select_from(ExportPart)
        .where(ExportPart.export_id == export_id, ExportPart.run == run, ExportPart.name.is_(None))
    )
    return await session.scalar(statement) or 0


async def count_rows_of_others(session: AsyncSession, export_id: UUID, run: str, job_id: UUID) -> int:
    """Rows that other jobs than this one have written so far."""
    given = {"export_id": export_id, "run": run, "job_id": job_id}
    return int(await session.scalar(_ROWS_OF_OTHERS, given) or 0)


async def list_written(session: AsyncSession, export_id: UUID, run: str) -> list[WrittenPart]:
    """The parts that are written, in their order."""
    statement = (
        select(ExportPart)
        .where(ExportPart.export_id == export_id, ExportPart.run == run, ExportPart.name.is_not(None))
        .order_by(ExportPart.number)
    )
    return [
        WrittenPart(
            FinishedFile(part.name or "", part.rows or 0, part.bytes or 0, part.sha256 or ""),
            (part.first_block, part.end_block),
        )
        for part in await session.scalars(statement)
    ]


async def are_wanted(session: AsyncSession, export_id: UUID, run: str) -> bool:
    """Whether the run still goes on: its export lives, and the job that holds its snapshot runs."""
    return bool(await session.scalar(_WANTED, {"export_id": export_id, "run": run}))
