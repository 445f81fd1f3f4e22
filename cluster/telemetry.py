"""What every process of ours does about being looked at: its log, and traces and Sentry where they are switched on.

`start()` once, as early as the process has its settings; `flush()` at its end. What is off is not imported.
"""

import asyncio
from typing import Final

from cluster import logging, sentry, tracing
from cluster.settings import Settings

FLUSH_S: Final = 3.0
"""A collector that does not answer keeps no process from ending for longer."""


_started: set[str] = set()


def start(settings: Settings, *, process: str) -> None:
    """Logs to a file, spans to the collector, errors to Sentry. `process` names the process in all three.

    Doing it again is harmless: a job worker does it with each of its jobs.
    """
    if process in _started:
        return
    _started.add(process)
    logging.configure(settings, process=process)
    tracing.configure(settings, process=process)
    sentry.configure(settings, process=process)
    logging.get_logger(__name__).info(
        "process started", tracing=tracing.is_on(), sentry=sentry.is_on(), environment=settings.environment
    )


def flush() -> None:
    """Send what is buffered. Blocks, and costs nothing while all is off."""
    tracing.flush()
    sentry.flush(FLUSH_S)


async def flush_aside() -> None:
    """`flush` beside the event loop, `FLUSH_S` at most."""
    if tracing.is_on() or sentry.is_on():
        try:
            async with asyncio.timeout(FLUSH_S):
                await asyncio.to_thread(flush)
        except TimeoutError:
            logging.get_logger(__name__).warning("telemetry could not be sent in time")
