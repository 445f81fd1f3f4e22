import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.settings import ROOT
from cluster.stack import daemon_state
from cluster.stack.daemon_state import AlreadyRunning, CommandLock, DaemonLock, holder, is_held, working
from tests.fixtures.waiting import eventually_sync

HOLD = """
import signal, sys
from pathlib import Path
from cluster.paths import Paths
from cluster.stack.daemon_state import DaemonLock
lock = DaemonLock(Paths(Path(sys.argv[1])))
lock.take()
print("held", flush=True)
signal.pause()
"""


def test_one_supervisor_per_checkout(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    lock = DaemonLock(paths)
    lock.take()
    with pytest.raises(AlreadyRunning, match="mobula status"):
        DaemonLock(paths).take()
    found = holder(paths)
    assert found is not None
    assert found.pid == os.getpid()
    lock.release()
    assert holder(paths) is None
    DaemonLock(paths).take()


def test_what_cleans_tmp_leaves_the_short_directory_alone_while_it_is_held(paths: Paths) -> None:
    def would_clean() -> bool:
        """As systemd-tmpfiles decides."""
        folder = os.open(paths.short, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(folder)
        return True

    lock = DaemonLock(paths)
    assert would_clean()
    lock.take()
    assert not would_clean()
    lock.release()
    assert would_clean()


def test_a_killed_supervisor_holds_nothing(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    found = holder(Paths(tmp_path))
    assert found is not None
    assert found.pid == process.pid
    process.kill()
    process.wait()
    eventually_sync(lambda: holder(Paths(tmp_path)) is None)
    process.stdout.close()


def test_a_supervisor_is_found_after_a_step_of_the_wall_clock(
    tmp_path: Path, step_clock: Callable[[float], None]
) -> None:
    lock = DaemonLock(Paths(tmp_path))
    lock.take()
    step_clock(1.0)
    found = holder(Paths(tmp_path))
    assert found is not None
    assert found.is_alive()
    lock.release()


def test_the_lock_is_held_whatever_its_file_says(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert not is_held(paths)
    lock = DaemonLock(paths)
    lock.take()
    (paths.run / "daemon.lock").write_text("")
    assert is_held(paths)
    assert holder(paths) is None
    lock.release()
    assert not is_held(paths)


def test_commands_keep_a_supervisor_away_and_a_supervisor_keeps_them_away(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    one, two = CommandLock(paths), CommandLock(paths)
    assert working(paths) == ""
    assert one.take("./mobula seed")
    assert not two.take("./mobula psql"), "the first one starts the server"
    one.share()
    assert two.take("./mobula psql")
    lock = DaemonLock(paths)
    both = rf"^./mobula seed \(pid {os.getpid()}\), ./mobula psql \(pid {os.getpid()}\) works on this checkout"
    with pytest.raises(AlreadyRunning, match=both):
        lock.take()
    assert "./mobula psql" in working(paths)
    assert not is_held(paths)
    assert not one.keep_out()
    assert two.keep_out(), "it is the last one"
    two.release()
    lock.take()
    assert not one.take("./mobula seed")
    assert working(paths) == ""
    lock.release()
    assert one.take("./mobula seed")
    one.release()


def test_who_stops_everything_is_alone_also_with_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    paths = Paths(tmp_path)
    one, two = CommandLock(paths), CommandLock(paths)
    assert one.take_alone("./mobula down")
    assert not two.take_alone("./mobula down")
    assert f"./mobula down (pid {os.getpid()}) works" in working(paths)
    one.release()
    monkeypatch.setattr(os, "write", refuse)
    assert two.take_alone("./mobula down")
    assert "a command works" in working(paths)
    two.release()
    assert working(paths) == ""


def test_a_command_that_has_ended_is_not_named(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    lock = CommandLock(paths)
    assert lock.take("./mobula seed")
    lock.share()
    file = paths.run / "commands.lock"
    file.write_text(file.read_text() + "4194303 ./mobula psql\n")
    assert working(paths).startswith(f"./mobula seed (pid {os.getpid()}) works")
    lock.release()


def test_status_is_what_was_last_written(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert daemon_state.read_status(paths) == {}
    paths.run.mkdir()
    daemon_state.write_status(paths, {"state": "ready"})
    assert daemon_state.read_status(paths) == {"state": "ready"}
    (paths.run / "status.json").write_text("[]")
    assert daemon_state.read_status(paths) == {}


def test_logs_are_listed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.logs.mkdir()
    (paths.logs / "postgres.log").write_text("")
    assert paths.logs / "postgres.log" in daemon_state.logs(paths)


def test_logs_of_processes_and_of_ray_s_workers_are_listed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.process_logs.mkdir(parents=True)
    for age, name in enumerate(("api-2.log", "host-1.log")):
        (paths.process_logs / name).write_text("{}")
        os.utime(paths.process_logs / name, (1000 - age, 1000 - age))
    paths.ray_logs.mkdir()
    (paths.ray_logs / "worker-1.err").write_text("Segmentation fault")
    assert [path.name for path in daemon_state.process_logs(paths)] == ["host-1.log", "api-2.log"]
    assert {"api-2.log", "host-1.log", "worker-1.err"} <= {path.name for path in daemon_state.logs(paths)}
