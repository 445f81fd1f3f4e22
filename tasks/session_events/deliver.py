"""Bring session events to their handlers, in order: at least once, and each handler's rows once."""

import asyncio
from typing import Any, Final

import structlog

from db.session_events import service
from tasks.context import JobContext, Snooze
from tasks.session_events import analytics
from tasks.session_events.handlers import Handler, Handlers

BATCH: Final = 500
AGAIN_S: Final = 0.5
FAILED_S: Final = 2.0
"""A handler that failed is tried again after this, and then as the kind of the job says."""

logger = structlog.get_logger(__name__)

_found: Handlers | None = None


def found_handlers() -> Handlers:
    """Ours and those of installed packages, looked for once per process."""
    global _found
    if _found is None:
        handlers = Handlers()
        analytics.register(handlers)
        handlers.discover()
        _found = handlers
    return _found


async def deliver(job: JobContext) -> dict[str, Any]:
    """Job `session_events.deliver`: every handler to the end of what there is, beside one another.

    A handler that fails goes on in a job of its own (args: handler), whose pauses keep no other handler back and which
    fails like any other job. However long things fail, at most one job waits for each handler and one for all.
    """
    only = str(job.args.get("handler", ""))
    async with job.transaction() as session:
        # Committed before anything is read: what is committed later has a job of its own.
        await service.release_key(session, job.id)
    known = found_handlers().by_name
    async with job.transaction() as session:
        await service.register_handlers(session, known)
        waiting = set() if only else await service.waiting_for(session, known)
    handlers = {name: h for name, h in known.items() if (name == only if only else name not in waiting)}
    outcomes = await asyncio.gather(*(_serve(job, handler) for handler in handlers.values()), return_exceptions=True)
    failed: dict[str, Exception] = {}
    for name, outcome in zip(handlers, outcomes, strict=True):
        if isinstance(outcome, Exception):
            failed[name] = outcome
        elif isinstance(outcome, BaseException):
            raise outcome
    if failed and only:
        if not await _wait_again(job, only):
            return {"failed": [only]}
        raise failed[only]
    if failed:
        async with job.transaction() as session:
            for name in failed:
                await service.try_later(session, name, FAILED_S)
    if None in outcomes and await _wait_again(job, only):
        # Somebody else is at it, and may have looked before our events were there.
        raise Snooze(AGAIN_S)
    if failed:
        return {"failed": list(failed)}
    return {name: outcome for name, outcome in zip(handlers, outcomes, strict=True) if outcome}


async def _wait_again(job: JobContext, handler: str) -> bool:
    """Whether this job is the one that waits. False: another one does already, and will look at everything."""
    async with job.transaction() as session:
        return await service.take_key(session, job.id, service.key_of(handler))


async def _serve(job: JobContext, handler: Handler) -> int | None:
    """How many events the handler was given; None when another job has it."""
    given = 0
    while True:
        try:
            async with job.transaction() as session:
                position = await service.lock_handler(session, handler.name)
                if position is None:
                    return None
                events = await service.after(session, position, limit=BATCH)
                if not events:
                    return given
                wanted = [event for event in events if handler.wants(event)]
                if wanted:
                    await handler.handle(session, wanted)
                await service.advance(session, handler.name, events[-1].id)
                given += len(wanted)
        except Exception as error:
            logger.warning("session event handler failed", handler=handler.name, exc_info=True)
            async with job.transaction() as session:
                await service.note_failure(session, handler.name, repr(error)[:2000])
            error.add_note(f"session event handler {handler.name}")
            raise
