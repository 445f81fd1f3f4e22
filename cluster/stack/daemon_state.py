"""Who holds this checkout: locks that die with their holders, and a file that says what runs where."""

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from cluster.paths import Paths
from cluster.secrets import write_private
from cluster.services.process import Identity

END_LIMIT_S = 90.0
"""A supervisor that is asked to end does so in this time, or is not waited for any longer."""


class AlreadyRunning(Exception):
    """Another command holds this checkout."""


class DaemonLock:
    """Held by the supervisor, or by a node, as long as it lives; the kernel lets go of it at a kill -9.

    It also keeps what cleans /tmp (systemd-tmpfiles removes what nobody has touched for ten days) from the short
    directory, where Ray and HAProxy have files that they need for as long as they run.
    """

    def __init__(self, paths: Paths) -> None:
        self._file = paths.run / "daemon.lock"
        self._short = paths.short
        self._kept = -1
        self._commands = CommandLock(paths)
        self._held: IO[str] | None = None

    def take(self) -> None:
        """Take the lock. Raises AlreadyRunning."""
        held = _open(self._file)
        if not _lock(held, fcntl.LOCK_EX):
            held.close()
            raise AlreadyRunning("Mobula runs already in this checkout (./mobula status)")
        if not self._commands.keep_out():
            held.close()
            raise AlreadyRunning(self._commands.who())
        held.truncate(0)
        held.write((Identity.of(os.getpid()) or Identity(os.getpid(), 0.0)).written())
        held.flush()
        self._held = held
        with contextlib.suppress(OSError):
            self._kept = os.open(self._short, os.O_RDONLY)
            fcntl.flock(self._kept, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def release(self) -> None:
        """Let go."""
        self._commands.release()
        if self._kept >= 0:
            os.close(self._kept)
            self._kept = -1
        if self._held is not None:
            self._held.close()
            self._held = None


class CommandLock:
    """Held by the commands that work on the data of a stopped checkout, several at a time: no supervisor starts then,
    and who is the last of them stops the server that the first of them has started.
    """

    def __init__(self, paths: Paths) -> None:
        self._file = paths.run / "commands.lock"
        self._held: IO[str] | None = None

    def take(self, command: str) -> bool:
        """Take the lock, for this command alone if nobody else has it. Returns False while somebody has it alone."""
        held = _open(self._file)
        if _lock(held, fcntl.LOCK_EX):
            held.truncate(0)
        elif not _lock(held, fcntl.LOCK_SH):
            held.close()
            return False
        held.write(f"{os.getpid()} {command}\n")
        held.flush()
        self._held = held
        return True

    def take_alone(self, command: str) -> bool:
        """Have it alone, also with a full disk, where its file does not say who. Returns False if somebody has it."""
        if not self.keep_out() or self._held is None:
            self.release()
            return False
        with contextlib.suppress(OSError):
            os.ftruncate(self._held.fileno(), 0)
            os.write(self._held.fileno(), f"{os.getpid()} {command}\n".encode())
        return True

    def share(self) -> None:
        """Let other commands in."""
        if self._held is not None:
            fcntl.flock(self._held, fcntl.LOCK_SH)

    def keep_out(self) -> bool:
        """Have it alone. Returns whether nobody else had it; else it is lost."""
        if self._held is None:
            self._held = _open(self._file)
        return _lock(self._held, fcntl.LOCK_EX)

    def who(self) -> str:
        """For people: who has it."""
        entries = [line.partition(" ") for line in self._file.read_text().splitlines()]
        living = [f"{command} (pid {pid})" for pid, _, command in entries if Identity.of(int(pid)) is not None]
        return f"{', '.join(living) or 'a command'} works on this checkout: wait for its end, or end it"

    def release(self) -> None:
        """Let go."""
        if self._held is not None:
            self._held.close()
            self._held = None


def holder(paths: Paths) -> Identity | None:
    """The live supervisor of this checkout."""
    try:
        return Identity.parse((paths.run / "daemon.lock").read_text()) if is_held(paths) else None
    except (OSError, ValueError):
        return None


def is_held(paths: Paths) -> bool:
    """Whether somebody holds the lock, whatever its file says."""
    try:
        with (paths.run / "daemon.lock").open("r") as probe:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def working(paths: Paths) -> str:
    """Which command works on the data of this stopped checkout, for people; "" when none does."""
    lock = CommandLock(paths)
    try:
        return "" if is_held(paths) or lock.keep_out() else lock.who()
    finally:
        lock.release()


def _open(file: Path) -> IO[str]:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.open("a+")


def _lock(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_status(paths: Paths, status: Mapping[str, Any]) -> bool:
    """Replace run/status.json. Returns whether that was possible: a full disk ends nothing that runs."""
    try:
        write_private(paths.run / "status.json", json.dumps(status, indent=2) + "\n")
    except OSError:
        return False
    return True


def read_status(paths: Paths) -> dict[str, Any]:
    """What the supervisor last wrote; empty when it never did."""
    try:
        found = json.loads((paths.run / "status.json").read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def logs(paths: Paths) -> list[Path]:
    """Every log file of this checkout: services, our processes, Ray's of the running cluster or of the last one."""
    running = paths.ray / "session_latest" / "logs"
    ray = running if running.is_dir() else paths.ray_logs
    spoken = [path for kind in ("*.log", "*.err", "*.out") for path in ray.glob(f"**/{kind}")]
    return [*sorted(paths.logs.glob("*.log")), *process_logs(paths), *sorted(spoken)]


def process_logs(paths: Paths) -> list[Path]:
    """The file of each of our processes, those that have ended included, the one written last at the end."""
    found: list[tuple[float, Path]] = []
    for path in paths.process_logs.glob("*.log"):
        with contextlib.suppress(FileNotFoundError):  # another process tidies
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found)]
