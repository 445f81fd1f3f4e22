"""`./mobula dev`: redeploys `api` when its code changes; `realtime` and its sockets are left alone."""

import subprocess
import sys
import threading
from pathlib import Path

from cluster.settings import ROOT
from cluster.stack.plan import Plan
from cluster.stack.progress import Progress

ROOMS = ("serve_app", "db", "tasks", "actors", "cluster")
POLL_S = 0.7


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
                first = changes(deployed, now)[0]
                deployed = now
                self._redeploy(first)
            seen = now

    def _redeploy(self, because: Path) -> None:
        self._progress.note("api", f"{because.relative_to(ROOT)} changed: redeploying")
        done = subprocess.run(
            [sys.executable, "-m", "cluster.deploy", "api"],
            cwd=ROOT,
            env=self._plan.env,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode == 0:
            self._progress.note("api", "redeployed")
        else:
            self._progress.note("api", "not redeployed:\n" + "\n".join(done.stderr.strip().splitlines()[-12:]))
