"""Answers whose time says nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STEP_S = 0.25
"""Far more than what the hidden outcomes differ by (milliseconds), and little beside the hash of a password."""


def until_step(elapsed_s: float, step_s: float = STEP_S) -> float:
    """Seconds from `elapsed_s` to the next multiple of the step."""
    return step_s - elapsed_s % step_s


@asynccontextmanager
async def in_steps(step_s: float = STEP_S) -> AsyncIterator[None]:
    """Leave the block only at a multiple of the step after it was entered, also when it fails.

    Whoever measures learns how many steps it took, not which way was gone.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    try:
        yield
    finally:
        await asyncio.sleep(until_step(clock() - began, step_s))
