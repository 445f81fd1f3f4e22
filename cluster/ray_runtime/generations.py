"""The HAProxy processes of this node: every reload starts one, and the old ones stay until their sockets are gone.

The wrapper writes a file per process, named by its pid, before it becomes HAProxy; whoever reads them removes those of
processes that have ended. Hubs tell a socket's generation by the pid in its request's header (DESIGN §5, 19).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cluster.paths import Paths
from cluster.ray_runtime.haproxy_wrapper import GENERATIONS
from cluster.services.process import Identity

CLOCK_TOLERANCE_S: Final = 2.0
"""Creation times of processes are known to about a second."""

WRAPPER_START_S: Final = 60.0
"""From the process's creation to its record, on a very busy machine: a later record is another process's."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One HAProxy process. `started` is Unix seconds."""

    pid: int
    started: float


def directory(paths: Paths) -> Path:
    """Where this node's records are."""
    return paths.haproxy / GENERATIONS


def living(records: Path) -> list[Generation]:
    """HAProxy processes that run, oldest first; the last one is the one that listens. Forgets those that ended."""
    found = []
    for record in records.glob("[0-9]*"):
        try:
            generation = Generation(int(record.name), float(record.read_text()))
        except (OSError, ValueError):
            continue
        if _runs(generation):
            found.append(generation)
        else:
            record.unlink(missing_ok=True)
    return sorted(found, key=lambda generation: generation.started)


def _runs(generation: Generation) -> bool:
    process = Identity.of(generation.pid)
    if process is None:
        return False
    return -CLOCK_TOLERANCE_S <= generation.started - process.created <= WRAPPER_START_S
