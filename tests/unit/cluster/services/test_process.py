import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.services.process import Identity, ManagedProcess, run_to_end, turn_over
from tests.fixtures.waiting import eventually_sync

SLEEP = [sys.executable, "-c", "import signal; signal.pause()"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()",
]


@pytest.fixture
def process(tmp_path: Path) -> ManagedProcess:
    return ManagedProcess("sleeper", tmp_path / "run" / "sleeper.json")


def test_a_process_is_started_recorded_and_ended(process: ManagedProcess, tmp_path: Path) -> None:
    process.launch(SLEEP, log_file=tmp_path / "log")
    identity = process.recorded()
    assert identity is not None
    assert identity.pid == process.pid
    process.stop()
    assert not identity.is_alive()
    assert process.recorded() is None
    process.stop()


def test_the_next_command_adopts_and_ends_what_the_last_one_left(process: ManagedProcess, tmp_path: Path) -> None:
    process.launch(SLEEP, log_file=tmp_path / "log")
    later = ManagedProcess("sleeper", tmp_path / "run" / "sleeper.json")
    left = later.recorded()
    assert left is not None
    later.adopt(left)
    assert later.is_running()
    later.stop(((signal.SIGKILL, 5.0),))
    eventually_sync(lambda: not process.is_running())


def test_a_recycled_pid_is_not_mistaken_for_the_process() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.is_alive()
    assert not Identity(own.pid, own.started - 60, own.boot).is_alive()
    assert not Identity(own.pid, own.started, "an earlier boot").is_alive()


def test_adopting_what_is_recorded_needs_no_disk(
    process: ManagedProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.launch(SLEEP, log_file=tmp_path / "log")
    later = ManagedProcess("sleeper", tmp_path / "run" / "sleeper.json")
    left = later.recorded()
    assert left is not None

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", refuse)
    later.adopt(left)
    later.stop(((signal.SIGKILL, 5.0),))
    eventually_sync(lambda: not process.is_running())


def test_a_step_of_the_wall_clock_makes_no_other_process(
    process: ManagedProcess, tmp_path: Path, step_clock: Callable[[float], None]
) -> None:
    process.launch(SLEEP, log_file=tmp_path / "log")
    later = ManagedProcess("sleeper", tmp_path / "run" / "sleeper.json")
    step_clock(3600.0)
    assert process.is_running()
    left = later.recorded()
    assert left is not None
    assert left.end()
    eventually_sync(lambda: not process.is_running())


def test_without_proc_processes_are_told_apart_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_bytes", refuse)
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.started == psutil.Process().create_time()
    assert own.is_alive()


def test_an_identity_is_read_as_it_was_written() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert Identity.parse(own.written()) == own
    for spoiled in ("{", "[]", '{"pid": 1}'):
        with pytest.raises(ValueError):  # noqa: PT011 - json's, and ours
            Identity.parse(spoiled)


def test_one_that_ignores_asking_is_made_to_go(process: ManagedProcess, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process.launch(STUBBORN, log_file=log)
    eventually_sync(lambda: "ready" in log.read_text())
    process.stop(((signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0)))
    assert not process.is_running()


def test_a_spoiled_record_is_nobody(process: ManagedProcess, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sleeper.json").write_text("{")
    assert process.recorded() is None


def test_a_command_is_run_to_its_end_and_heard_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert run_to_end(["sh", "-c", "echo one; exit 3"], env={}, log_file=log) == 3
    assert run_to_end(["sh", "-c", "echo two"], env={}, log_file=log, append=True) == 0
    assert log.read_text() == "one\ntwo\n"


@pytest.mark.parametrize("limit", [{"timeout_s": 0.0}, {"given_up": lambda: True}])
def test_a_command_that_takes_too_long_or_is_given_up_is_killed(tmp_path: Path, limit: dict[str, Any]) -> None:
    log = tmp_path / "log"
    with pytest.raises(subprocess.TimeoutExpired):
        run_to_end(["sh", "-c", "echo $$; exec sleep 600"], env={"PATH": "/bin:/usr/bin"}, log_file=log, **limit)
    assert not psutil.pid_exists(int(log.read_text()))


def test_a_service_s_log_is_turned_over_while_it_writes(
    process: ManagedProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.services.process.LOG_BYTES", 10)
    log = tmp_path / "log"
    speak = "import sys\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
    told = tmp_path / "told"
    os.mkfifo(told)
    process.launch(["sh", "-c", f'exec "$1" -c "$2" <"{told}"', "sh", sys.executable, speak], log_file=log)
    with told.open("wb", buffering=0) as tell:
        tell.write(b"a line that fills it\n")
        eventually_sync(lambda: log.read_text() == "a line that fills it\n")
        turn_over(log)
        assert (tmp_path / "log.1").read_text() == "a line that fills it\n"
        tell.write(b"short\n")
        eventually_sync(lambda: log.read_text() == "short\n")
        turn_over(log)
        assert log.read_text() == "short\n"
    eventually_sync(lambda: not process.is_running())
    turn_over(tmp_path / "none")
