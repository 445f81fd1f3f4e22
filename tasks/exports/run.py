"""Run one export: a snapshot, its parts one after the other, the manifest last."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.accounts import load_identity
from db.errors import Unavailable
from db.exports import service, storage
from db.exports.datasets import SEES_ALL, get_dataset
from db.exports.errors import ExportEnded, ExportNotFound
from db.exports.models import Export
from db.exports.service import FinishedFile
from db.notifications.service import notify
from tasks.context import JobCancelled, JobContext, Refused
from tasks.exports.files import HashedFile, write_atomically
from tasks.exports.formats import write_part
from tasks.exports.manifest import make_manifest
from tasks.exports.progress import Counter, watch
from tasks.exports.snapshot import Part, Snapshot, take_snapshot

NOT_ALLOWED = "You may not see everybody's rows any more."

STOP_WAIT_S = 5.0
"""A writer that was told to stop notices at its next batch."""


async def run(job: JobContext) -> dict[str, Any]:
    """Job `exports.run` (args: export_id). Every write to the database holds the lease; every file carries its number.

    An attempt that dies leaves files that no manifest names: the next attempt deletes them.
    """
    export_id = UUID(str(job.args["export_id"]))
    async with job.transaction() as session:
        try:
            export = await service.begin(session, export_id, job.id)
            allowed = await _may_see(session, export)
        except ExportNotFound as error:
            raise Refused("the export was deleted") from error
    if export.job_id != job.id and export.state in service.LIVE_STATES:
        raise Refused("another job runs this export")
    if export.state in service.LIVE_STATES and not allowed:
        await _end(job, export_id, "failed", NOT_ALLOWED)
        raise Refused(NOT_ALLOWED)
    if export.state == "cancelled":
        raise JobCancelled
    if export.state not in service.LIVE_STATES:
        return {"state": export.state}
    data = storage.directory(job.settings, export_id) / "data"
    try:
        return await _attempt(job, export, data)
    except ExportEnded:  # cancelled, and this attempt had not heard of it yet
        _remove(data, job.lease_number)
        raise JobCancelled from None
    except JobCancelled:
        _remove(data, job.lease_number)
        await _end(job, export_id, "cancelled")
        raise
    except Refused as refusal:
        _remove(data, job.lease_number)
        await _end(job, export_id, "failed", str(refusal))
        raise
    except Unavailable:  # not counted, so not the last
        _remove(data, job.lease_number)
        raise
    except Exception as error:
        _remove(data, job.lease_number)
        if job.last_attempt:
            await _end(job, export_id, "failed", f"{type(error).__name__}: {error}"[:500])
        raise


async def _may_see(session: AsyncSession, export: Export) -> bool:
    """Whether its owner may still see what it is to hold: they may have lost that while it waited."""
    identity = await load_identity(session, export.user_id)
    return identity is not None and (export.scope != "all" or SEES_ALL in identity.permissions)


async def _attempt(job: JobContext, export: Export, data: Path) -> dict[str, Any]:
    dataset = get_dataset(export.dataset)
    where = dataset.where(
        scope="all" if export.scope == "all" else "own", user_id=export.user_id, filters=export.filters
    )
    await asyncio.to_thread(_clear, data)
    dsn = job.settings.asyncpg_dsn
    async with take_snapshot(dsn, export.id, dataset, where) as snapshot:
        async with job.transaction() as session:
            await service.start(session, export.id, rows_total=snapshot.rows)
        files: list[FinishedFile] = []
        blocks: dict[str, tuple[int, int]] = {}
        counter = Counter()
        for number, block_range in enumerate(snapshot.parts()):
            name = storage.part_name(dataset.name, number, job.lease_number, export.format)
            before = counter.rows
            part = Part(dsn, export.id, snapshot.name, dataset, where, block_range)
            file = await _write(job, export, snapshot, part, data / name, counter)
            files.append(FinishedFile(name, counter.rows - before, file.bytes, file.sha256))
            blocks[name] = block_range
    if counter.rows != snapshot.rows:
        raise RuntimeError(f"the snapshot shows {snapshot.rows} rows, but {counter.rows} were written")
    manifest = make_manifest(export, dataset, snapshot, where, files, blocks=blocks, lease_number=job.lease_number)
    async with job.transaction() as session:
        await service.finish(session, export.id, manifest=manifest, files=files)
        # Under the lease, not cancelled, and before the commit: a manifest on disk is that of the attempt that won.
        content = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        await asyncio.to_thread(write_atomically, data.parent / storage.MANIFEST, content)
        await notify(
            session,
            export.user_id,
            kind="export.ready",
            title=f"Your export of {dataset.title.lower()} is ready",
            data={"export_id": str(export.id), "rows": counter.rows},
        )
    return {"rows": counter.rows, "files": len(files)}


async def _write(
    job: JobContext, export: Export, snapshot: Snapshot, part: Part, path: Path, counter: Counter
) -> HashedFile:
    work = asyncio.ensure_future(write_part(export.format, part, path, counter))
    try:
        await watch(
            job,
            work,
            counter,
            export_id=export.id,
            user_id=export.user_id,
            total=snapshot.rows,
            check=snapshot.check_budget,
        )
        return await work
    except BaseException:
        counter.stop = True
        await asyncio.wait({work}, timeout=STOP_WAIT_S)
        if work.done() and not work.cancelled():
            work.exception()  # known: it was told to stop
        raise


async def _end(job: JobContext, export_id: UUID, state: str, error: str | None = None) -> None:
    async with job.transaction() as session:
        await service.end(session, export_id, state=state, error=error)


def _clear(data: Path) -> None:
    """Make the directory, and delete what attempts before left: no manifest names it."""
    data.mkdir(parents=True, exist_ok=True)
    for path in data.iterdir():
        path.unlink(missing_ok=True)


def _remove(data: Path, lease_number: int) -> None:
    """Delete this attempt's own files."""
    for path in data.glob(f"*-part-?????-{lease_number}.*"):
        path.unlink(missing_ok=True)
