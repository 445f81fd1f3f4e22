"""How many processes write one export."""

import asyncio
import os
from typing import Final

import ray

from cluster.settings import Settings

MOST_BY_DEFAULT: Final = 4
"""Each keeps a processor of the database busy, and there is one database however many nodes there are."""


async def count_processes(settings: Settings) -> int:
    """As the setting says, or as many as the cluster has processors, within reason."""
    return settings.export_processes or min(MOST_BY_DEFAULT, await asyncio.to_thread(_processors))


def _processors() -> int:
    if not ray.is_initialized():
        return os.cpu_count() or 1
    return max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]  # Ray has no types here
