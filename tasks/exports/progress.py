"""How far an export is: counted where rows pass, told a few times per second."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from db.exports import service
from tasks.context import JobContext

TELL_EVERY_S = 0.5
"""Twice a second is smooth to the eye."""


@dataclass(slots=True)
class Counter:
    """Rows so far. Written by one thread, read by another: a plain int is enough."""

    rows: int = 0
    stop: bool = False
    """Set when the writer should give up."""


async def watch(
    job: JobContext,
    work: asyncio.Future[Any],
    counter: Counter,
    *,
    export_id: UUID,
    user_id: UUID,
    total: int,
    check: Callable[[], None],
) -> None:
    """Tell progress until `work` is done. Raises JobCancelled, or what `check` raises; then `work` is told to stop."""
    told = -1
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=TELL_EVERY_S)
            check()
            rows = counter.rows
            if rows == told or work.done():
                await job.check()
                continue
            told = rows
            message = service.make_progress(export_id, "running", rows=rows, total=total)
            await job.progress({key: message[key] for key in ("rows", "total", "percent")})
            await job.publish(service.progress_channel(user_id), message)
    except BaseException:
        counter.stop = True
        raise
