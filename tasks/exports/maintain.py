"""Look after exports: end those whose job ended without a word, delete what is old."""

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from db.exports import parts, service, storage
from tasks.context import JobContext

BATCH = 100
BUDGET_S = 200.0
"""Less than the kind's time limit: the sweep that follows must run too, and what is left is for the next hour."""


async def reconcile(job: JobContext) -> dict[str, Any]:
    """Job `exports.reconcile`: an export whose job is over (killed too often, cancelled) ends as its job did.

    Also deletes what workers that were killed have left; `prune` finds the rest.
    """
    async with job.transaction() as session:
        ended = await service.end_orphans(session)
        leavings = await service.list_leavings(session)
        await parts.discard(session, leavings)
    for export_id in leavings:
        await asyncio.to_thread(shutil.rmtree, storage.directory(job.settings, export_id), ignore_errors=True)
    return {"ended": ended}


async def prune(job: JobContext) -> dict[str, Any]:
    """Job `exports.prune`: files of exports whose time is over, and directories that belong to none.

    What another database's export left, which may use the same EXPORT_DIR, is that one's to delete.
    """
    root = storage.root(job.settings)
    expired = 0
    until = time.monotonic() + BUDGET_S
    while time.monotonic() < until:
        async with job.transaction() as session:
            batch = await service.expire(session, limit=BATCH)
        expired += len(batch)
        for export_id in batch:
            await asyncio.to_thread(shutil.rmtree, root / str(export_id), ignore_errors=True)
        if len(batch) < BATCH:
            break
        await job.check()
    names = await asyncio.to_thread(lambda: [path.name for path in root.iterdir()] if root.is_dir() else [])
    ids = [found for name in names if (found := _uuid(name)) is not None]
    async with job.database.transaction(read_only=True) as session:
        states = await service.known_exports(session, ids)
        ours = await service.identify_database(session)
    over = [i for i in ids if states.get(i) not in (*service.LIVE_STATES, "succeeded")]
    removed = [i for i in over if i in states or await asyncio.to_thread(_owner, root / str(i)) in (ours, "")]
    for export_id in removed:
        await asyncio.to_thread(shutil.rmtree, root / str(export_id), ignore_errors=True)
    return {"expired": expired, "removed": len(removed)}


def _owner(directory: Path) -> str:
    """Whose export this is; "" when nobody has said so, "?" when that may not be known."""
    try:
        return (directory / storage.OWNER).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return "?"


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
