"""Write parts of a large export beside its own job, on the snapshot that this one holds."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

from db.exports import parts, service, storage
from db.exports.errors import ExportNotFound
from db.exports.models import Export
from db.exports.parts import FinishedFile, TakenPart
from tasks.context import JobCancelled, JobContext
from tasks.exports.files import HashedFile
from tasks.exports.formats import write_part
from tasks.exports.progress import Counter, follow
from tasks.exports.snapshot import Part, rows_of


async def write_parts(job: JobContext) -> dict[str, Any]:
    """Job `exports.write_parts` (args: export_id, run, snapshot): take one part after the other until none is left.

    A part whose worker is killed is taken again, by this job's next attempt or by whoever is free. When the export's
    own job is gone, so is its snapshot: then there is nothing to do here.
    """
    export_id, run = UUID(str(job.args["export_id"])), str(job.args["run"])
    try:
        async with job.database.transaction(read_only=True) as session:
            export = await service.get_export(session, export_id)
    except ExportNotFound:
        return {"parts": 0}
    written = 0
    while True:
        async with job.transaction() as session:
            taken = await parts.take(session, export_id, run, job.id)
        if taken is None:
            return {"parts": written}
        name = storage.part_name(export.dataset, taken.number, job.lease_number, run, export.format)
        path = storage.directory(job.settings, export_id) / "data" / name
        try:
            file, rows = await _write(job, export, taken, path)
        except JobCancelled:
            raise
        except Exception:
            async with job.database.transaction(read_only=True) as session:
                if await parts.are_wanted(session, export_id, run):
                    raise
            return {"parts": written}
        kept = False
        try:
            finished = FinishedFile(name, rows, file.bytes, file.sha256)
            async with job.transaction() as session:
                kept = await parts.keep(session, export_id, run, job.id, taken.number, finished)
        finally:
            if not kept:
                path.unlink(missing_ok=True)
        written += kept


async def _write(job: JobContext, export: Export, taken: TakenPart, path: Path) -> tuple[HashedFile, int]:
    dataset, where = rows_of(export)
    part = Part(job.settings.asyncpg_dsn, export.id, str(job.args["snapshot"]), dataset, where, taken.blocks)
    counter = Counter()

    async def tell() -> None:
        await job.progress({"part": taken.number, "rows": counter.rows})

    work = asyncio.ensure_future(write_part(export.format, part, path, counter))
    file = await follow(job, work, counter, tell=tell)
    return file, counter.rows
