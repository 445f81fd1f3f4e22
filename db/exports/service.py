"""Request an export, follow it, cancel it, finish it, prune it."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from db.errors import InvalidInput
from db.exports import parts
from db.exports.datasets import FORMATS, Scope, get_dataset
from db.exports.errors import ExportEnded, ExportFileNotFound, ExportNotFound, ExportNotReady, TooManyExports
from db.exports.models import Export, ExportFile
from db.exports.parts import FinishedFile
from db.jobs.errors import JobFinished, JobNotFound
from db.jobs.queue import enqueue
from db.jobs.service import JobView, cancel_job, is_alive
from db.outbox.service import publish
from db.pagination import Page, SortOrder, fetch_page

QUEUE = "exports"
KIND = "exports.run"
MAX_UNFINISHED_PER_USER = 3
"""One person cannot keep every export slot of the cluster."""

LOCK_WAIT_MS = 2_000
"""A worker's transactions take milliseconds; one that has an export locked for longer hangs."""

LOCK_NOT_AVAILABLE = "55P03"
RECONCILE_KIND = "exports.reconcile"
RECONCILE_AFTER = timedelta(seconds=8)
"""By then an agent has ended a worker that hangs: its grace, and the time to end it twice."""

RETENTION = timedelta(days=7)
"""Files of a finished export are deleted after this."""

LIVE_STATES = ("queued", "running")

_ORPHANS = text(
    """
    SELECT e.id, h.state FROM app.exports e
    LEFT JOIN jobs.jobs j ON j.id = e.job_id
    LEFT JOIN LATERAL (
        SELECT state FROM jobs.history WHERE id = e.job_id ORDER BY finished_at DESC LIMIT 1
    ) h ON true
    WHERE e.state IN ('queued', 'running') AND e.job_id IS NOT NULL AND j.id IS NULL
    FOR UPDATE OF e SKIP LOCKED
    """
)

_LEAVINGS = text(
    """
    SELECT e.id FROM app.exports e
    WHERE e.state IN ('cancelled', 'failed') AND e.finished_at > now() - interval '10 minutes'
      AND NOT EXISTS (SELECT FROM jobs.jobs j WHERE j.id = e.job_id OR j.id = ANY (e.part_job_ids))
    """
)


def progress_channel(user_id: UUID) -> str:
    """Where a user hears of their exports."""
    return f"exports:progress#{user_id}"


def progress_message(export: Export) -> dict[str, Any]:
    """What is published when an export changes."""
    return make_progress(export.id, export.state, rows=export.rows_done, total=export.rows_total)


def make_progress(export_id: UUID, state: str, *, rows: int, total: int | None) -> dict[str, Any]:
    """The payload of the progress channel."""
    return {
        "type": "export.progress",
        "export_id": str(export_id),
        "state": state,
        "rows": rows,
        "total": total,
        "percent": percent(rows, total, state),
    }


def percent(rows: int, total: int | None, state: str) -> float:
    """How far an export is, 0 to 100. Only a finished one shows 100."""
    if state == "succeeded":
        return 100.0
    if not total:
        return 0.0
    return min(99.0, round(100.0 * rows / total, 1))


async def request_export(
    session: AsyncSession,
    *,
    user_id: UUID,
    dataset: str,
    format: str,
    filters: Mapping[str, Any] | None = None,
    scope: Scope = "own",
    org_id: UUID | None = None,
) -> Export:
    """Record the request and enqueue its job. `scope` "all" is for those who may see everybody's rows."""
    checked = get_dataset(dataset).check_filters(filters or {})
    if format not in FORMATS:
        raise InvalidInput(f"format is one of {', '.join(FORMATS)}", field="format")
    # One request of a user at a time: otherwise two could both count two unfinished exports and make four.
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:k, 0))"), {"k": f"exports:{user_id}"})
    unfinished = await session.scalar(
        select(func.count()).select_from(Export).where(Export.user_id == user_id, Export.state.in_(LIVE_STATES))
    )
    if int(unfinished or 0) >= MAX_UNFINISHED_PER_USER:
        raise TooManyExports(retry_after_s=10.0)
    export = Export(
        user_id=user_id, org_id=org_id, dataset=dataset, format=format, filters=checked, scope=scope, rows_done=0
    )
    session.add(export)
    await session.flush()
    export.job_id = await enqueue(
        session,
        KIND,
        {"export_id": str(export.id)},
        queue=QUEUE,
        key=str(user_id),  # users take turns: who asks for several at once does not keep others waiting
        unique_key=f"export:{export.id}",
        user_id=user_id,
        org_id=org_id,
    )
    await session.flush()
    await publish(session, progress_channel(user_id), progress_message(export))
    return export


async def get_export(session: AsyncSession, export_id: UUID, *, user_id: UUID | None = None) -> Export:
    """One export, `user_id`'s own when given. Raises ExportNotFound."""
    statement = select(Export).where(Export.id == export_id)
    if user_id is not None:
        statement = statement.where(Export.user_id == user_id)
    export = (await session.scalars(statement)).one_or_none()
    if export is None:
        raise ExportNotFound
    return export


async def list_exports(session: AsyncSession, *, user_id: UUID | None, page: int = 1, limit: int = 20) -> Page[Export]:
    """Exports, newest first; of one user, or of everybody."""
    statement = select(Export)
    if user_id is not None:
        statement = statement.where(Export.user_id == user_id)
    order = SortOrder("created_at", (Export.created_at, Export.id), descending=True)
    return await fetch_page(session, statement, order, page=page, limit=limit)


async def list_files(session: AsyncSession, export_id: UUID) -> Sequence[ExportFile]:
    """The files of a finished export, in the manifest's order."""
    return (
        await session.scalars(select(ExportFile).where(ExportFile.export_id == export_id).order_by(ExportFile.name))
    ).all()


async def get_file(session: AsyncSession, export: Export, name: str) -> ExportFile:
    """A file of a finished export. Raises ExportNotReady, ExportFileNotFound."""
    if export.state != "succeeded":
        raise ExportNotReady
    file = (
        await session.scalars(select(ExportFile).where(ExportFile.export_id == export.id, ExportFile.name == name))
    ).one_or_none()
    if file is None:
        raise ExportFileNotFound
    return file


async def cancel_export(session: AsyncSession, export_id: UUID, *, user_id: UUID | None = None) -> Export:
    """Stop an export: it has ended with this transaction, whatever its worker does. Raises ExportNotFound, ExportEnded.

    A worker that runs is told, and ended when it does not listen; `start` and `finish` refuse what it still says. One
    that hangs while it has the export's row locked is ended first: then the answer is still `running`, for seconds.
    """
    export = await get_export(session, export_id, user_id=user_id)
    # Before the job: a worker that is just finishing has the job's lease first, and then wants this row.
    try:
        async with session.begin_nested():
            await session.execute(text(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}"))
            ended = await end(session, export_id, state="cancelled")
            await session.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        await enqueue(session, RECONCILE_KIND, {}, queue="maintenance", run_at=datetime.now(UTC) + RECONCILE_AFTER)
    else:
        if not ended:
            await session.refresh(export)
            raise ExportEnded(f"The export has already ended: {export.state}.")
    if export.job_id is not None:
        with contextlib.suppress(JobNotFound, JobFinished):
            await cancel_job(session, export.job_id)
    await session.refresh(export)
    return export


async def cancel_with_job(session: AsyncSession, job: JobView) -> bool:
    """Cancel the export that a job runs, and the job with it. False, and nothing is done, when it runs none that lives.

    For whoever manages jobs: the job alone may take as long as its worker hangs, and the export would seem to go on.
    An export that was tried again is its newest job's: of an older one's, and of one that has yet to begin, it is not.
    """
    if job.kind != KIND:
        return False
    export_id = UUID(str(job.args["export_id"]))
    try:
        if (await get_export(session, export_id)).job_id != job.id:
            return False
        await cancel_export(session, export_id)
    except (ExportNotFound, ExportEnded):
        return False
    return True


async def begin(session: AsyncSession, export_id: UUID, job_id: UUID) -> Export:
    """The export, for the job that is to run it if it is that job's and alive. Raises ExportNotFound.

    For another job than its own: one that failed or was cancelled is queued again, because somebody wants it tried once
    more, and a living one changes over when its own job has ended.
    """
    export = await _locked(session, export_id)
    if export.job_id != job_id and (
        export.state in ("failed", "cancelled")
        or (export.state in LIVE_STATES and not await is_alive(session, export.job_id))
    ):
        export.state, export.error, export.job_id = "queued", None, job_id
        export.rows_done, export.rows_total, export.started_at, export.finished_at = 0, None, None, None
        await session.flush()
        await publish(session, progress_channel(export.user_id), progress_message(export))
    return export


async def start(session: AsyncSession, export_id: UUID, *, rows_total: int) -> Export:
    """An attempt begins: what an earlier one left counts no more. Raises ExportEnded."""
    export = await _living(session, export_id)
    export.state = "running"
    export.rows_done = 0
    export.rows_total = rows_total
    export.started_at = await session.scalar(select(func.now()))
    await session.flush()
    await publish(session, progress_channel(export.user_id), progress_message(export))
    return export


async def finish(
    session: AsyncSession, export_id: UUID, *, manifest: Mapping[str, Any], files: Sequence[FinishedFile]
) -> Export:
    """The export has succeeded, with these files. Raises ExportEnded when it was cancelled meanwhile."""
    export = await _living(session, export_id)
    session.add_all(
        ExportFile(export_id=export_id, name=f.name, rows=f.rows, bytes=f.bytes, sha256=f.sha256) for f in files
    )
    if export.part_job_ids:
        await parts.forget(session, export)
    now = await session.scalar(select(func.now()))
    rows = sum(file.rows for file in files)
    export.state = "succeeded"
    export.manifest = dict(manifest)
    export.rows_done = export.rows_total = rows
    export.finished_at = now
    export.expires_at = now + RETENTION if now is not None else None
    await session.flush()
    await publish(session, progress_channel(export.user_id), progress_message(export))
    return export


async def _locked(session: AsyncSession, export_id: UUID) -> Export:
    """The export, locked until the transaction ends. Raises ExportNotFound."""
    statement = select(Export).where(Export.id == export_id).with_for_update().execution_options(populate_existing=True)
    export = (await session.scalars(statement)).one_or_none()
    if export is None:
        raise ExportNotFound
    return export


async def _living(session: AsyncSession, export_id: UUID) -> Export:
    """The export, locked. Raises ExportNotFound, ExportEnded when it lives no more."""
    export = await _locked(session, export_id)
    if export.state not in LIVE_STATES:
        raise ExportEnded(f"The export has already ended: {export.state}.")
    return export


async def end(session: AsyncSession, export_id: UUID, *, state: str, error: str | None = None) -> bool:
    """The export failed for good or was cancelled. False, and nothing is done, when it has ended already."""
    statement = (
        update(Export)
        .where(Export.id == export_id, Export.state.in_(LIVE_STATES))
        .values(state=state, error=error, finished_at=func.now())
        .returning(Export.user_id, Export.rows_done, Export.rows_total, Export.part_job_ids)
        .execution_options(synchronize_session=False)
    )
    row = (await session.execute(statement)).first()
    if row is not None:
        await parts.dismiss(session, row.part_job_ids)
        message = make_progress(export_id, state, rows=row.rows_done, total=row.rows_total)
        await publish(session, progress_channel(row.user_id), message)
    return row is not None


async def expire(session: AsyncSession, *, limit: int = 100) -> list[UUID]:
    """Mark exports whose time is over; returns them, so that their files can be deleted after the commit."""
    due = (
        select(Export.id)
        .where(Export.state == "succeeded", Export.expires_at < func.now())
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Export)
        .where(Export.id.in_(due))
        .values(state="expired")
        .returning(Export.id)
        .execution_options(synchronize_session=False)
    )
    return list((await session.execute(statement)).scalars())


async def end_orphans(session: AsyncSession) -> int:
    """End exports whose job has ended without saying so here: its worker was killed once too often, say."""
    rows = (await session.execute(_ORPHANS)).all()
    for row in rows:
        state = "cancelled" if row.state == "cancelled" else "failed"
        await end(session, row.id, state=state, error=None if state == "cancelled" else "The job that ran it gave up.")
    return len(rows)


async def list_leavings(session: AsyncSession) -> list[UUID]:
    """Exports that failed or were cancelled just now and that nobody works on: their files are of no use."""
    return list((await session.execute(_LEAVINGS)).scalars())


async def identify_database(session: AsyncSession) -> str:
    """What tells this database from others that use the same EXPORT_DIR, and outlives a dump and a new server.

    A role's id: random, made by the first migration, and nobody's to change.
    """
    return str(await session.scalar(text("SELECT id FROM auth.roles WHERE name = 'admin'")))


async def known_exports(session: AsyncSession, export_ids: Sequence[UUID]) -> dict[UUID, str]:
    """State by id, of those that exist."""
    rows = await session.execute(select(Export.id, Export.state).where(Export.id.in_(export_ids)))
    return {row.id: row.state for row in rows}
