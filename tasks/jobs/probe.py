"""A job that does nothing but say when it began: what the queue itself costs, and whether it works at all."""

import time
from typing import Any

from tasks.context import JobContext


async def probe(job: JobContext) -> dict[str, Any]:
    """The moment, as seconds since 1970."""
    return {"began": time.time()}
