"""The HAProxy processes of this node: every reload starts one, and the old ones stay until their sockets are gone.

The wrapper writes a file per process, named by its pid, before it becomes HAProxy; whoever reads them removes those of
processes that have ended. Hubs tell a socket's generation by its name in the request's header (DESIGN §5, 19).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from cluster.paths import Paths
from cluster.ray_runtime.haproxy_wrapper import GENERATIONS
from cluster.services.process import Identity

CLOCK_TOLERANCE_S: Final = 2.0
"""Creation times of processes are known to about a second."""

WRAPPER_START_S: Final = 60.0
"""From the process's creation to its record, on a very busy machine: a later record is another process's."""

MAX_GENERATIONS: Final = 4
"""HAProxy processes of a node beyond which sockets of the oldest are moved."""

MAX_AGE_S: Final = 20 * 3600.0
"""An old process is emptied after this: Serve's hard stop ends it at 24 h."""

SETTLED_S: Final = 60.0
"""An old process without sockets ends within half of this (idle connections are closed): one deployment is several
reloads, and those that end by themselves must not cost anybody a socket."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One HAProxy process. `started` is Unix seconds. `edge`: the start of the node that it belongs to."""

    pid: int
    started: float
    edge: str

    @property
    def name(self) -> str:
        """What it calls itself in the header of every request; unique in the cluster."""
        return f"{self.edge}-{self.pid}"


def directory(paths: Paths) -> Path:
    """Where this node's records are."""
    return paths.haproxy / GENERATIONS


def living(records: Path) -> list[Generation]:
    """HAProxy processes that run, oldest first; the last one is the one that listens. Forgets those that ended."""
    found = []
    for record in records.glob("[0-9]*"):
        try:
            started, edge = record.read_text().split()
            generation = Generation(int(record.name), float(started), edge)
        except (OSError, ValueError):
            continue
        if _runs(generation):
            found.append(generation)
        else:
            # Another process forgets it at the same time, or this one may not: it will be looked at again.
            with contextlib.suppress(OSError):
                record.unlink()
    return sorted(found, key=lambda generation: generation.started)


def overdue(living: Sequence[Generation], now: float) -> list[Generation]:
    """Those whose sockets must move. `living`: of one node, oldest first, the last one listens. `now`: Unix seconds."""
    # A process is old from the moment that its successor started.
    ages = [(one, now - successor.started) for one, successor in pairwise(living)]
    beyond = [one for one, age in ages if age > SETTLED_S][: -(MAX_GENERATIONS - 1)]
    return [*beyond, *(one for one, age in ages if age > MAX_AGE_S and one not in beyond)]


def _runs(generation: Generation) -> bool:
    process = Identity.of(generation.pid)
    if process is None:
        return False
    return -CLOCK_TOLERANCE_S <= generation.started - process.created <= WRAPPER_START_S
