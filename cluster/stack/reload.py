"""`./mobula dev`: redeploys `api` when code changes, and restarts the agents and shard hosts when theirs does.

`realtime` and its sockets are left alone, and that is said.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.settings import ROOT
from cluster.stack.plan import Plan
from cluster.stack.progress import Progress

ROOMS = ("serve_app", "db", "tasks", "actors", "cluster")
POLL_S = 0.7

OF_ACTORS = frozenset({"tasks", "actors", "db", "cluster"})
"""Rooms whose code runs in agents, shard hosts and job workers."""

RESTARTED = ("ray::NodeAgent", "ray::ShardHost", "ray::Supervisor", "ray::IDLE")
"""How Ray titles our actors' processes, and workers that wait for the next actor or job with modules of before."""

LEFT_ALONE = "realtime was left alone with its sockets and the code from before (./mobula redeploy realtime)"


def snapshot(root: Path = ROOT) -> dict[Path, int]:
    """When each source file was last changed."""
    found: dict[Path, int] = {}
    for room in ROOMS:
        for file in (root / room).rglob("*.py"):
            try:
                found[file] = file.stat().st_mtime_ns
            except FileNotFoundError:
                continue
    return found


def changes(before: dict[Path, int], after: dict[Path, int]) -> list[Path]:
    """Files that came, went or changed."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


class ApiReloader:
    """Watches the sources on a thread of its own."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reload", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End after the current round."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _watch(self) -> None:
        deployed = seen = snapshot()
        while not self._stopping.wait(POLL_S):
            now = snapshot()
            if now == seen and now != deployed:  # quiet again for one round: an editor writes several files
                changed = changes(deployed, now)
                deployed = now
                self._renew(changed)
            seen = now

    def _renew(self, changed: Sequence[Path]) -> None:
        names = [str(path.relative_to(ROOT)) for path in changed]
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        self._progress.note("api", f"{names[0]}{more} changed: redeploying")
        ended = end_actors(self._plan.paths) if any(name.split(os.sep)[0] in OF_ACTORS for name in names) else 0
        # Deploying waits until everything that the supervisor looks after answers again.
        done = subprocess.run(
            [sys.executable, "-m", "cluster.deploy", "api"],
            cwd=ROOT,
            env=self._plan.env,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        actors = "; agents, shard hosts and job workers restarted, channels in memory begin anew" if ended else ""
        if done.returncode == 0:
            self._progress.note("api", f"redeployed{actors}; {LEFT_ALONE}")
        else:
            said = "\n".join(done.stderr.strip().splitlines()[-12:])
            self._progress.note("api", f"not redeployed, the code from before goes on{actors}:\n{said}")


def end_actors(paths: Paths) -> int:
    """End the processes of agents, shard hosts and the supervisor; Ray makes them anew. Returns how many there were.

    By SIGKILL, which Ray takes for a crash: of an actor that ends by itself it makes no other.
    """
    ended = 0
    for one in processes.find(paths):
        if processes.title(one).startswith(RESTARTED):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
                ended += 1
    return ended
