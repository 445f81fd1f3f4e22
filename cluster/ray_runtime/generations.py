"""The HAProxy processes of this node: every reload starts one, and the old ones stay until their sockets are gone.

The wrapper writes a file per process, named by its pid, before it becomes HAProxy; whoever reads them removes those of
processes that have ended. Hubs tell a socket's generation by its name in the request's header (DESIGN §5, 19).
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

import psutil

from cluster.paths import Paths
from cluster.ray_runtime.haproxy_wrapper import GENERATIONS, birth
from cluster.services.process import Identity

MAX_GENERATIONS: Final = 4
"""HAProxy processes of a node beyond which sockets of the oldest are moved."""

MAX_AGE_S: Final = 20 * 3600.0
"""An old process is emptied after this: Serve's hard stop ends it at 24 h."""

SETTLED_S: Final = 60.0
"""An old process without sockets ends within half of this (idle connections are closed): one deployment is several
reloads, and those that end by themselves must not cost anybody a socket."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One HAProxy process. `edge`: the start of the node that it belongs to."""

    pid: int
    started: float = field(compare=False)
    """Unix seconds, as the wall clock stands now: they move with its steps."""
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
    found: list[tuple[float, Generation]] = []
    for record in records.glob("[0-9]*"):
        try:
            pid, (born, edge) = int(record.name), record.read_text().split()
        except (OSError, ValueError):
            continue
        try:
            identity = Identity.of(pid)
            if identity is not None and born == birth(pid):
                found.append((identity.started, Generation(pid, psutil.Process(pid).create_time(), edge)))
                continue
        except psutil.Error:
            pass
        # Another process forgets it at the same time, or this one may not: it will be looked at again.
        with contextlib.suppress(OSError):
            record.unlink()
    return [generation for _, generation in sorted(found, key=lambda one: (one[0], one[1].pid))]


def overdue(living: Sequence[Generation], now: float) -> list[Generation]:
    """Those whose sockets must move. `living`: of one node, oldest first, the last one listens. `now`: Unix seconds."""
    # A process is old from the moment that its successor started.
    ages = [(one, now - successor.started) for one, successor in pairwise(living)]
    beyond = [one for one, age in ages if age > SETTLED_S][: -(MAX_GENERATIONS - 1)]
    return [*beyond, *(one for one, age in ages if age > MAX_AGE_S and one not in beyond)]
