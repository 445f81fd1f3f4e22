"""Which processes belong to this checkout, and how to end exactly those.

`ray stop` ends every Ray on the machine, HAProxy not included, so it is never used. A process is ours when it inherited
our marker in its environment, when its command line names our short directory, or when its parent is ours. Each sign
alone can fail: Postgres and Ray's workers overwrite their environment with their title, orphans lose their parents.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from cluster.paths import Paths
from cluster.ray_runtime.environment import MARKER
from cluster.services.process import Identity

GENTLE_S = 6.0
"""What Ray's processes and HAProxy get to end by themselves; nothing of theirs is the only copy of anything."""

ROUNDS = 5


def find(paths: Paths, *, spare: Iterable[int] = ()) -> list[Identity]:
    """Every live process of this checkout, except ourselves, our ancestors and `spare`."""
    home, short = str(paths.home), str(paths.short)
    excluded = {os.getpid(), *spare, *(parent.pid for parent in psutil.Process().parents())}
    mine: dict[int, psutil.Process] = {}
    everybody = list(psutil.process_iter(["ppid", "cmdline", "status"]))
    for process in everybody:
        if process.info["status"] != psutil.STATUS_ZOMBIE and _is_ours(process, home, short):
            mine[process.pid] = process
    grown = True
    while grown:  # children of children
        children = [p for p in everybody if p.pid not in mine and p.info["ppid"] in mine]
        mine.update({process.pid: process for process in children})
        grown = bool(children)
    found = (Identity.of(pid) for pid in mine if pid not in excluded)
    return [identity for identity in found if identity is not None]


def title(identity: Identity) -> str:
    """The command line, which Ray's workers replace by what they are; "" when the process is gone."""
    try:
        return " ".join(psutil.Process(identity.pid).cmdline())
    except psutil.Error:
        return ""


def describe(identity: Identity) -> str:
    """`raylet (pid 123)`."""
    try:
        process = psutil.Process(identity.pid)
        command = process.cmdline()
        name = command[0] if command and command[0].startswith("ray::") else process.name()
    except psutil.Error:
        return f"pid {identity.pid}"
    return f"{Path(name).name} (pid {identity.pid})"


def end(identities: Iterable[Identity], *, gentle_s: float = GENTLE_S) -> list[Identity]:
    """Ask all at once, wait, then insist. Returns who is still there."""
    left = list(identities)
    for number, patience_s in ((signal.SIGTERM, gentle_s), (signal.SIGKILL, 5.0)):
        for identity in left:
            if identity.is_alive():
                try:
                    os.kill(identity.pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
        deadline = time.monotonic() + patience_s
        while left and time.monotonic() < deadline:
            left = [identity for identity in left if identity.is_alive()]
            time.sleep(0.05)
        if not left:
            break
    return left


def end_all(
    paths: Paths,
    *,
    spare: Iterable[int] = (),
    which: Callable[[Identity], bool] = lambda _: True,
    gentle_s: float = GENTLE_S,
) -> tuple[bool, list[Identity]]:
    """End every process of this checkout, or those of them `which` picks. Returns whether there was any, and who is
    still there.

    Looks again until nobody is found: while a raylet ends, it still starts workers for the actors that ended before it,
    and whoever was missed would hold ports that the next start wants.
    """

    def left() -> list[Identity]:
        return [one for one in find(paths, spare=spare) if which(one)]

    first = found = left()
    for _ in range(ROUNDS):
        if not found:
            break
        end(found, gentle_s=gentle_s)
        found = left()
    return bool(first), found


def _is_ours(process: psutil.Process, home: str, short: str) -> bool:
    command = process.info["cmdline"] or []
    if any(part == short or f"{short}/" in part for part in command):
        return True
    try:
        return process.environ().get(MARKER) == home
    except (psutil.Error, OSError):
        return False
