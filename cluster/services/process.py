"""One operating-system process of ours: started here, or adopted from a command that was killed.

A process is known by its pid *and* when it started, so that a recycled pid is never mistaken for it. When it started is
counted from the machine's boot: on the wall clock it would be another process after every step of that clock (a virtual
machine that resumes, a time server that corrects).
"""

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import psutil

LOG_BYTES = 20 * 1024 * 1024
"""Of a service's log file. It has one more, `<name>.1`, with what was before."""

LOOK_S = 0.2
"""While a command runs, whether it may go on is looked at so often."""

GENTLE: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))
"""The usual way to end a process: ask, wait, insist."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A pid, when that process started, and in which boot of the machine."""

    pid: int
    started: float
    """Seconds after the boot; Unix seconds where the kernel does not tell (macOS)."""
    boot: str = ""

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """The identity of a live process, or None when there is none with this pid."""
        try:
            process = psutil.Process(pid)
            return cls(pid, _started(process), _boot()) if process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.Error:
            return None

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """What `written` wrote. Raises ValueError."""
        try:
            data = json.loads(text)
            return cls(int(data["pid"]), float(data["started"]), str(data["boot"]))
        except (KeyError, TypeError) as problem:
            raise ValueError(f"no process: {text!r}") from problem

    def written(self) -> str:
        """For a file that another command reads."""
        return json.dumps(asdict(self))

    def is_alive(self) -> bool:
        """Whether this very process still runs; a zombie does not."""
        now = Identity.of(self.pid)
        return now is not None and now.boot == self.boot and abs(now.started - self.started) < 0.05

    def end(self, steps: Sequence[tuple[signal.Signals, float]] = GENTLE) -> bool:
        """Send each signal and wait up to its seconds. Returns whether the process is gone."""
        for number, patience_s in steps:
            if not self.is_alive():
                return True
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            deadline = time.monotonic() + patience_s
            while self.is_alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        return not self.is_alive()


def _started(process: psutil.Process) -> float:
    """Raises psutil.Error."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_bytes()
    except OSError:
        return float(process.create_time())
    # After the name, which may hold spaces and parentheses itself, field 3 is the first; `starttime` is field 22.
    return int(stat.rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def run_to_end(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log_file: Path,
    cwd: Path | None = None,
    append: bool = False,
    timeout_s: float = math.inf,
    given_up: Callable[[], bool] = lambda: False,
) -> int:
    """Run a command away from our terminal; what it says is in `log_file`. Returns its exit status.

    Raises subprocess.TimeoutExpired when it takes longer than `timeout_s`, or is given up meanwhile; it is killed then.
    """
    with log_file.open("ab" if append else "wb") as log:
        child = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + timeout_s
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(LOOK_S)
            if given_up() or time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(argv, timeout_s)
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()


def turn_over(log_file: Path) -> None:
    """Begin a service's log anew when it is full, also while the service writes it: it appends, and goes on at the new
    end. Copied, since the service holds the file itself open; a line that is written meanwhile can be lost.
    """
    try:
        if log_file.stat().st_size <= LOG_BYTES:
            return
        before = log_file.with_name(log_file.name + ".1")
        with contextlib.suppress(OSError):  # on a full disk, an older log is not worth keeping a service from running
            shutil.copyfile(log_file, before)
        os.truncate(log_file, 0)
    except OSError:
        return


class ManagedProcess:
    """A service's process, remembered in a small file so that the next command can adopt or end it."""

    def __init__(self, name: str, record_file: Path) -> None:
        self.name = name
        self._record_file = record_file
        self._child: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def pid(self) -> int | None:
        """The pid while the process lives."""
        return self._identity.pid if self._identity is not None and self.is_running() else None

    def launch(
        self,
        argv: Sequence[str],
        *,
        log_file: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
    ) -> None:
        """Start the process in a session of its own, so that Ctrl-C in a terminal reaches only the supervisor."""
        log_file.parent.mkdir(parents=True, exist_ok=True)
        turn_over(log_file)
        with log_file.open("ab") as log:
            self._child = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
            )
        identity = Identity.of(self._child.pid)
        self._identity = identity or Identity(self._child.pid, 0.0)
        self._record_file.parent.mkdir(parents=True, exist_ok=True)
        self._record_file.write_text(self._identity.written())

    def recorded(self) -> Identity | None:
        """The live process that an earlier command recorded, if it is still that one."""
        try:
            identity = Identity.parse(self._record_file.read_text())
        except (OSError, ValueError):
            return None
        return identity if identity.is_alive() else None

    def adopt(self, identity: Identity) -> None:
        """Take over a process that runs already."""
        self._child, self._identity = None, identity
        if self.recorded() != identity:
            self._record_file.parent.mkdir(parents=True, exist_ok=True)
            self._record_file.write_text(identity.written())

    def is_running(self) -> bool:
        """Whether the process lives. Reaps it when it was our child and has ended."""
        if self._child is not None and self._child.poll() is not None:
            return False
        return self._identity is not None and self._identity.is_alive()

    def stop(self, steps: Sequence[tuple[signal.Signals, float]] = GENTLE) -> None:
        """End the process and forget it. Raises TimeoutError when even the last signal did not end it."""
        if self._identity is not None and self.is_running() and not self._end(steps):
            raise TimeoutError(f"{self.name} (pid {self._identity.pid}) does not end")
        self._record_file.unlink(missing_ok=True)
        self._child = self._identity = None

    def _end(self, steps: Sequence[tuple[signal.Signals, float]]) -> bool:
        if self._child is None:
            return self._identity is None or self._identity.end(steps)
        for number, patience_s in steps:
            self._child.send_signal(number)
            try:
                self._child.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue
            return True
        return self._child.poll() is not None
