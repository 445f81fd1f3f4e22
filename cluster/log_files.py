"""One log file per process, `.mobula/logs/processes/<process>-<pid>.log`: bounded, and written when it is said.

Several processes never share a file, so none has to wait for another before it turns its file over. What a process says
is with the kernel when `write` returns: neither a crash nor `kill -9` takes a line along.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 8 * 2**20
"""Of one file. A process has two at most: the one it writes, and the one before it (`….log.1`)."""

ENDED_KEPT: Final = 40
"""Files of processes that have ended: a day of redeploys, restarts and job workers. The oldest go first."""

CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in (9, 10)}
"""Control characters, which could move a terminal's cursor or forge a line; JSON escapes them itself."""


class LogFile:
    """What one process writes. Safe to call from several threads; `write` never raises: who would log it?"""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Opens the file. Raises OSError."""
        self.path = path
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._size = 0
        self._inode = 0
        self._file = -1
        self._open()

    def write(self, text: str) -> int:
        """Append text that ends with a newline."""
        self.write_bytes(text.encode("utf-8", "replace"))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Append whole lines."""
        with self._lock, contextlib.suppress(OSError):  # a full disk: what was to be said is lost, the process is not
            if self._file >= 0:
                self._turn_over(len(data))
            while data:
                written = os.write(self._file, data)
                self._size += written
                data = data[written:]

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
            self._file = -1

    def _turn_over(self, coming: int) -> None:
        """Begin a new file when this one is full, or was moved or removed by somebody's own tool."""
        try:
            in_place = os.stat(self.path).st_ino == self._inode
        except OSError:
            in_place = False
        # Where no new file can be made (a full disk), the old one goes on.
        with contextlib.suppress(OSError):
            if in_place and self._size and self._size + coming > self._max_bytes:
                os.replace(self.path, self.path.with_name(self.path.name + ".1"))
                in_place = False
            if not in_place:
                self._open()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Messages and orders of people are spoken of here: nobody else's business.
        opened = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        before, self._file = self._file, opened
        if before >= 0:
            os.close(before)
        found = os.fstat(opened)
        self._size, self._inode = found.st_size, found.st_ino


def open_own(folder: Path, process: str) -> LogFile:
    """The file of this process, after making room for it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    tidy(folder)
    return LogFile(folder / f"{process}-{os.getpid()}.log")


def tidy(folder: Path, *, kept: int = ENDED_KEPT) -> None:
    """Remove files of processes that have ended, except the `kept` newest."""
    ended: list[tuple[float, Path]] = []
    for path in folder.glob("*.log*"):
        pid = pid_of(path)
        if pid is not None and not _lives(pid):
            with contextlib.suppress(OSError):
                ended.append((path.stat().st_mtime, path))
    for _, path in sorted(ended, reverse=True)[kept:]:
        path.unlink(missing_ok=True)  # another process may tidy at the same time


def pid_of(path: Path) -> int | None:
    """Whose file this is."""
    number = path.name.partition(".log")[0].rpartition("-")[2]
    return int(number) if number.isdigit() else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
