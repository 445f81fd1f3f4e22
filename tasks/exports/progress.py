"""How far an export is: counted where rows pass, told a few times per second."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from db.exports import service
from tasks.context import JobContext

TELL_EVERY_S = 0.5
"""Twice a second is smooth to the eye."""

STOP_WAIT_S = 5.0
"""A writer that was told to stop notices at its next batch."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Counter:
    """Rows so far. Written by one thread, read by another: a plain int is enough."""

    rows: int = 0
    stop: bool = False
    """Set when the writer should give up."""


class Teller:
    """Tells whoever watches an export how far it is, each change once and never backwards."""

    def __init__(self, job: JobContext, export_id: UUID, user_id: UUID, total: int) -> None:
        self._job = job
        self._export_id = export_id
        self._channel = service.progress_channel(user_id)
        self._total = total
        self._told = -1

    async def tell(self, rows: int) -> None:
        """So many rows are written. Raises JobCancelled."""
        if rows <= self._told:
            await self._job.check()
            return
        self._told = rows
        message = service.make_progress(self._export_id, "running", rows=rows, total=self._total)
        await self._job.progress({key: message[key] for key in ("rows", "total", "percent")})
        await self._job.publish(self._channel, message)


async def follow(
    job: JobContext,
    work: asyncio.Future[Result],
    counter: Counter,
    *,
    tell: Callable[[], Awaitable[None]],
    check: Callable[[], None] = lambda: None,
) -> Result:
    """The result of `work`, with `tell` called until it is there.

    Raises JobCancelled, or what `check` raises; then `work` has been told to stop.
    """
    try:
        while not work.done():
            await asyncio.wait({work}, timeout=TELL_EVERY_S)
            check()
            await (job.check() if work.done() else tell())
        return await work
    except BaseException:
        counter.stop = True
        await asyncio.wait({work}, timeout=STOP_WAIT_S)
        if work.done() and not work.cancelled():
            work.exception()  # known: it was told to stop
        raise
