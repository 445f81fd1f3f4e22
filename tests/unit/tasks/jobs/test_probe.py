"""The probe says when it began."""

import time
from typing import cast

from tasks.context import JobContext
from tasks.jobs.probe import probe


async def test_it_says_when_it_began() -> None:
    before = time.time()
    said = await probe(cast("JobContext", None))
    assert before <= said["began"] <= time.time()
