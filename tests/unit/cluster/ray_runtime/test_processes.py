import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.ray_runtime.environment import MARKER
from tests.fixtures.waiting import eventually_sync

SLEEP = "import signal; signal.pause()"
PARENT = (
    "import subprocess, sys, signal; "
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], env={}); "
    "print(child.pid, flush=True); signal.pause()"
)

STARTS_ANOTHER = (
    "import signal, subprocess, sys\n"
    "def end(number, frame):\n"
    "    child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], start_new_session=True)\n"
    "    print(child.pid, flush=True)\n"
    "    sys.exit()\n"
    "signal.signal(signal.SIGTERM, end)\n"
    "print('ready', flush=True)\n"
    "signal.pause()\n"
)


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def launch(
    started: list[subprocess.Popen[bytes]], code: str, *arguments: str, home: Path | None
) -> subprocess.Popen[bytes]:
    env = {**os.environ} | ({MARKER: str(home)} if home else {})
    if home is None:
        env.pop(MARKER, None)
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], env=env, stdout=subprocess.PIPE)
    started.append(process)
    return process


def test_processes_are_found_by_marker_directory_and_parent(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    paths = Paths(tmp_path / "mine")
    marked = launch(started, SLEEP, home=paths.home)
    named = launch(started, SLEEP, f"--config={paths.short}/haproxy.cfg", home=None)
    parent = launch(started, PARENT, home=paths.home)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    stranger = launch(started, SLEEP, home=tmp_path / "theirs")
    wanted = {marked.pid, named.pid, parent.pid, child}
    found = eventually_sync(lambda: {one.pid for one in processes.find(paths)} >= wanted and processes.find(paths))
    pids = {one.pid for one in found}
    assert stranger.pid not in pids
    assert os.getpid() not in pids
    assert processes.end(found) == []
    assert stranger.poll() is None


def test_one_that_ignores_asking_is_killed(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    stubborn = launch(
        started,
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()",
        home=tmp_path,
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    assert processes.end(processes.find(Paths(tmp_path)), gentle_s=0.2) == []
    stubborn.wait()


def test_one_that_another_starts_while_it_ends_is_ended_too(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    parent = launch(started, STARTS_ANOTHER, home=tmp_path)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    assert processes.end_all(Paths(tmp_path)) == (True, [])
    parent.wait()
    assert parent.stdout.readline().strip().isdigit()  # another was started
    assert processes.find(Paths(tmp_path)) == []
    assert processes.end_all(Paths(tmp_path)) == (False, [])


def test_only_those_that_were_meant_are_ended(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    meant, other = launch(started, SLEEP, home=tmp_path), launch(started, SLEEP, home=tmp_path)
    eventually_sync(lambda: len(processes.find(Paths(tmp_path))) == 2)
    assert processes.end_all(Paths(tmp_path), which=lambda one: one.pid == meant.pid) == (True, [])
    assert meant.wait() != 0
    assert [one.pid for one in processes.find(Paths(tmp_path))] == [other.pid]


def test_people_are_told_names(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    process = launch(started, SLEEP, home=tmp_path)
    [identity] = eventually_sync(lambda: processes.find(Paths(tmp_path)))
    assert processes.describe(identity).endswith(f"(pid {process.pid})")
