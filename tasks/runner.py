"""Runs a handler and turns its end into an outcome. Found by agents and workers through `cluster.names`."""

import asyncio
import importlib
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from actors.jobs.contract import Kind, LeasedJob, Outcome, OutcomeState, Reporter, Token
from cluster import tracing
from cluster.logging import clean_text
from cluster.settings import Settings
from db import models
from db.errors import Unavailable
from db.jobs.errors import LeaseLost
from db.jobs.payloads import RESULT_BYTES, readable, storable
from db.session import Database
from tasks.context import JobCancelled, JobContext, Refused, Snooze

ALL_TABLES = models.metadata
"""A foreign key can only be followed when its target is imported, and a worker imports little more than one handler."""

Handler = Callable[[JobContext], Awaitable[Any]]

TRACE_CHARACTERS = 3_000
"""The end of a traceback says what went wrong; this much is stored with the job."""

logger = structlog.get_logger(__name__)


def load_handler(kind: Kind) -> Handler:
    """Import a kind's handler."""
    module, _, name = kind.handler.partition(":")
    handler: Handler = getattr(importlib.import_module(module), name)
    return handler


def _unavailable(error: BaseException) -> Unavailable | None:
    """What was away, if the attempt failed for nothing else."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = [_unavailable(part) for part in error.exceptions]
        return None if None in found else found[0]
    return None


def _asked_to_end() -> bool:
    """Whether somebody cancelled the task that runs the handler."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class JobRunner:
    """Runs handlers of this process (`actors.jobs.contract.Runner`)."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    async def run(self, job: LeasedJob, kind: Kind, reporter: Reporter) -> Outcome:
        """Run one attempt to its outcome. Raises only when cancelled."""
        token = Token(job.id, job.owner, job.number)

        def ended(state: OutcomeState, **fields: Any) -> Outcome:
            return Outcome(token=token, state=state, **fields)

        context = JobContext(job, self._settings, self._database, reporter)
        named: dict[str, str | int] = {"job_id": str(job.id), "job_kind": job.kind, "attempt": job.attempt}
        parent = {"traceparent": job.traceparent} if job.traceparent else None
        with (
            structlog.contextvars.bound_contextvars(**named),
            tracing.span(f"job {job.kind}", parent=parent, **named),
        ):
            try:
                result = await load_handler(kind)(context)
            except JobCancelled:
                return ended("cancelled")
            except LeaseLost:
                logger.warning("job taken over by another attempt")
                return ended("cancelled", error="another attempt took over")
            except Snooze as snooze:
                return ended("snoozed", retry_in_s=snooze.retry_in_s)
            except Refused as refusal:
                logger.warning("job refused", reason=str(refusal))
                return ended("refused", error=readable(clean_text(str(refusal))[:TRACE_CHARACTERS]))
            except BaseException as error:
                # Exits, panics of native libraries and cancellations of its own are an end of this attempt alone: past
                # here, they would end the event loop of everybody else's, or leave an attempt that never ends.
                if isinstance(error, GeneratorExit) or (isinstance(error, asyncio.CancelledError) and _asked_to_end()):
                    raise
                absent = _unavailable(error)
                if absent is not None:
                    logger.warning("job must wait", code=absent.code, reason=str(absent))
                    message = readable(clean_text(f"{absent.code}: {absent}"))
                    return ended("unavailable", error=message, retry_in_s=absent.retry_after_s)
                tracing.fail(error)
                logger.exception("job failed")
                return ended("failed", error=readable(clean_text(traceback.format_exc())[-TRACE_CHARACTERS:]))
            try:
                return ended("succeeded", result=storable(result, limit=RESULT_BYTES))
            except TypeError as error:  # the work is done: doing it again would not help
                logger.warning("job returned what cannot be stored", exc_info=True)
                return ended("refused", error=readable(clean_text(f"its result cannot be stored: {error}")))
