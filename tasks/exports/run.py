"""Run one export: a snapshot, its parts, the manifest last."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.accounts import load_identity
from db.errors import Unavailable
from db.exports import parts, service, storage
from db.exports.datasets import SEES_ALL, Dataset
from db.exports.errors import ExportEnded, ExportNotFound
from db.exports.models import Export
from db.exports.parts import FinishedFile, TakenPart, WrittenPart
from db.jobs.errors import LeaseLost
from db.notifications.service import notify
from tasks.context import JobCancelled, JobContext, Refused
from tasks.exports.files import write_atomically
from tasks.exports.formats import write_part
from tasks.exports.manifest import make_manifest
from tasks.exports.processes import count_processes
from tasks.exports.progress import Counter, Teller, follow
from tasks.exports.snapshot import Part, Snapshot, rows_of, take_snapshot

NOT_ALLOWED = "You may not see everybody's rows any more."

LOOK_AGAIN_S = 0.2
"""How often the export's own job looks whether the others are done, or one of them has lost its part."""


async def run(job: JobContext) -> dict[str, Any]:
    """Job `exports.run` (args: export_id). Every write to the database holds the lease; files carry the attempt's name.

    An attempt that dies or fails leaves files that no manifest names: the next attempt deletes them. Its snapshot dies
    with it, so that one begins anew, whatever part jobs had written.
    """
    export_id = UUID(str(job.args["export_id"]))
    async with job.transaction() as session:
        try:
            export = await service.begin(session, export_id, job.id)
            allowed = await _may_see(session, export)
            if export.job_id == job.id and export.part_job_ids:
                await parts.forget(session, export)
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
    name = secrets.token_hex(4)
    try:
        return await _attempt(job, export, data, name)
    except ExportEnded:  # cancelled, and this attempt had not heard of it yet
        _remove(data, name)
        raise JobCancelled from None
    except JobCancelled:
        _remove(data, name)
        await _end(job, export_id, "cancelled")
        raise
    except Refused as refusal:
        _remove(data, name)
        await _end(job, export_id, "failed", str(refusal))
        raise
    except LeaseLost:
        _remove(data, name)
        raise
    # Otherwise the files stay: the export may have succeeded, and only the answer to its commit was lost. What no
    # manifest names goes with the next attempt, or with `exports.reconcile`.
    except Unavailable:  # not counted, so not the last
        raise
    except Exception as error:
        if job.last_attempt:
            await _end(job, export_id, "failed", f"{type(error).__name__}: {error}"[:500])
        raise


async def _may_see(session: AsyncSession, export: Export) -> bool:
    """Whether its owner may still see what it is to hold: they may have lost that while it waited."""
    identity = await load_identity(session, export.user_id)
    return identity is not None and (export.scope != "all" or SEES_ALL in identity.permissions)


@dataclass(frozen=True, slots=True)
class _Run:
    """One attempt while its snapshot is held."""

    name: str
    export: Export
    dataset: Dataset
    where: str
    snapshot: Snapshot
    data: Path
    counter: Counter
    teller: Teller


async def _attempt(job: JobContext, export: Export, data: Path, name: str) -> dict[str, Any]:
    dataset, where = rows_of(export)
    async with take_snapshot(job.settings.asyncpg_dsn, export.id, dataset, where) as snapshot:
        ranges = snapshot.parts()
        processes = await count_processes(job.settings) if len(ranges) > 1 else 1
        ranges = snapshot.parts(processes)
        async with job.transaction() as session:
            started = await service.start(session, export.id, rows_total=snapshot.rows)
            await asyncio.to_thread(_clear, data, await service.identify_database(session))
            if processes > 1:
                others = min(processes, len(ranges)) - 1
                await parts.plan(session, started, run=name, snapshot=snapshot.name, ranges=ranges, jobs=others)
        teller = Teller(job, export.id, export.user_id, snapshot.rows)
        run = _Run(name, export, dataset, where, snapshot, data, Counter(), teller)
        written = await (_write_with_others(job, run) if processes > 1 else _write_alone(job, run, ranges))
    rows = sum(part.file.rows for part in written)
    if rows != snapshot.rows:
        raise RuntimeError(f"the snapshot shows {snapshot.rows} rows, but {rows} were written")
    files = [part.file for part in written]
    blocks = {part.file.name: part.blocks for part in written}
    manifest = make_manifest(export, dataset, snapshot, where, files, blocks=blocks, lease_number=job.lease_number)
    async with job.transaction() as session:
        await service.finish(session, export.id, manifest=manifest, files=files)
        # Under the lease, not cancelled, and before the commit: a manifest on disk is that of the attempt that won.
        await asyncio.to_thread(_check, data, files)
        content = orjson.dumps(manifest, option=orjson.OPT_INDENT_2)
        await asyncio.to_thread(write_atomically, data.parent / storage.MANIFEST, content)
        await notify(
            session,
            export.user_id,
            kind="export.ready",
            title=f"Your export of {dataset.title.lower()} is ready",
            data={"export_id": str(export.id), "rows": rows},
        )
    return {"rows": rows, "files": len(files)}


async def _write_alone(job: JobContext, run: _Run, ranges: Sequence[tuple[int, int]]) -> list[WrittenPart]:
    async def tell() -> None:
        await run.teller.tell(run.counter.rows)

    return [
        WrittenPart(await _write(job, run, TakenPart(number, blocks), tell), blocks)
        for number, blocks in enumerate(ranges)
    ]


async def _write_with_others(job: JobContext, run: _Run) -> list[WrittenPart]:
    """Take parts as the part jobs do, until all are written by somebody."""
    export_id = run.export.id

    async def tell() -> None:
        async with job.database.transaction(read_only=True) as session:
            others = await parts.count_rows_of_others(session, export_id, run.name, job.id)
        await run.teller.tell(run.counter.rows + others)

    async def take() -> TakenPart | None:
        while not run.counter.stop:
            async with job.transaction() as session:
                taken = await parts.take(session, export_id, run.name, job.id)
                if taken is not None or not await parts.count_unwritten(session, export_id, run.name):
                    return taken
            await asyncio.sleep(LOOK_AGAIN_S)
        raise JobCancelled

    check = run.snapshot.check_budget
    while (taken := await follow(job, asyncio.ensure_future(take()), run.counter, tell=tell, check=check)) is not None:
        file = await _write(job, run, taken, tell)
        async with job.transaction() as session:
            if not await parts.keep(session, export_id, run.name, job.id, taken.number, file):
                raise RuntimeError(f"part {taken.number} was taken away while it was written")
    async with job.database.transaction(read_only=True) as session:
        return await parts.list_written(session, export_id, run.name)


async def _write(job: JobContext, run: _Run, taken: TakenPart, tell: Callable[[], Awaitable[None]]) -> FinishedFile:
    export = run.export
    name = storage.part_name(run.dataset.name, taken.number, job.lease_number, run.name, export.format)
    part = Part(job.settings.asyncpg_dsn, export.id, run.snapshot.name, run.dataset, run.where, taken.blocks)
    before = run.counter.rows
    work = asyncio.ensure_future(write_part(export.format, part, run.data / name, run.counter))
    file = await follow(job, work, run.counter, tell=tell, check=run.snapshot.check_budget)
    return FinishedFile(name, run.counter.rows - before, file.bytes, file.sha256)


async def _end(job: JobContext, export_id: UUID, state: str, error: str | None = None) -> None:
    async with job.transaction() as session:
        await service.end(session, export_id, state=state, error=error)


def _clear(data: Path, owner: str) -> None:
    """Make the directory, and delete what attempts before left: no manifest names it."""
    data.mkdir(parents=True, exist_ok=True)
    write_atomically(data.parent / storage.OWNER, owner.encode())
    for path in data.iterdir():
        path.unlink(missing_ok=True)


def _check(data: Path, files: Sequence[FinishedFile]) -> None:
    """Every file is here, whoever wrote it, and nothing else is. Raises RuntimeError."""
    names = {file.name for file in files}
    for path in data.iterdir():
        if path.name not in names:
            path.unlink(missing_ok=True)
    for file in files:
        path = data / file.name
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise RuntimeError(f"{path} is not what another node wrote: EXPORT_DIR must be storage that all share")


def _remove(data: Path, run: str) -> None:
    """Delete this attempt's own files."""
    for path in data.glob(f"*-part-?????-*-{run}.*"):
        path.unlink(missing_ok=True)
