import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cluster import log_files
from cluster.log_files import LogFile
from cluster.settings import ROOT

LONG_GONE = 2**22 - 1
"""A process id that is hardly ever given out."""


def test_a_line_is_there_when_write_returns_also_after_kill_9(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from cluster.log_files import open_own\n"
        "open_own(Path(sys.argv[1]), 'api').write('last words\\n'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False, timeout=60)
    [file] = tmp_path.iterdir()
    assert file.read_text() == "last words\n"
    assert file.name.startswith("api-")


def test_a_process_has_two_files_of_bounded_size(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "api-1.log", max_bytes=100)
    for number in range(50):
        file.write(f"{number:09d}\n")
    assert {path.name for path in tmp_path.iterdir()} == {"api-1.log", "api-1.log.1"}
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    lines = (tmp_path / "api-1.log.1").read_text() + (tmp_path / "api-1.log").read_text()
    assert [int(line) for line in lines.splitlines()][-10:] == list(range(40, 50))


def test_a_line_longer_than_a_file_is_written_whole(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "api-1.log", max_bytes=10)
    file.write("x" * 30 + "\n")
    assert (tmp_path / "api-1.log").stat().st_size == 31


def test_a_file_that_somebody_moved_or_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "api-1.log"
    file = LogFile(path)
    file.write("one\n")
    path.rename(tmp_path / "kept")
    file.write("two\n")
    path.unlink()
    file.write("three\n")
    assert path.read_text() == "three\n"
    assert (tmp_path / "kept").read_text() == "one\n"


def test_a_folder_that_somebody_removed_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "processes" / "api-1.log"
    file = LogFile(path)
    file.write("one\n")
    shutil.rmtree(path.parent)
    file.write("two\n")
    assert path.read_text() == "two\n"


def test_a_new_file_that_cannot_be_made_costs_no_line_and_closes_nobody_s_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "api-1.log"
    file = LogFile(path)
    file.write("one\n")
    path.rename(tmp_path / "kept")
    with monkeypatch.context() as full:

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, "no space left on device")

        full.setattr("cluster.log_files.os.open", refuse)
        file.write("two\n")
    # Whoever opens something now may get the number that a closed log file had.
    with (tmp_path / "of somebody else").open("w") as other:
        file.write("three\n")
        other.write("still open\n")
    assert (tmp_path / "of somebody else").read_text() == "still open\n"
    assert (tmp_path / "kept").read_text() == "one\ntwo\n"
    assert path.read_text() == "three\n"


def test_it_is_nobody_elses_business_and_never_raises(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "api-1.log")
    assert stat.S_IMODE((tmp_path / "api-1.log").stat().st_mode) == 0o600
    file.close()
    file.write("nobody hears this\n")
    (tmp_path / "api-1.log").unlink()
    file.write("nor this\n")
    assert list(tmp_path.iterdir()) == []


def test_lines_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "api-1.log", max_bytes=20_000)

    def speak(name: str) -> None:
        for number in range(200):
            file.write(json.dumps({"name": name * 20, "number": number}) + "\n")

    threads = [threading.Thread(target=speak, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(json.loads(line) for path in tmp_path.iterdir() for line in path.read_text().splitlines())


def test_only_the_newest_files_of_ended_processes_are_kept(tmp_path: Path) -> None:
    for age in range(5):
        path = tmp_path / f"worker-{LONG_GONE - age}.log"
        path.write_text("x")
        os.utime(path, (1000 - age, 1000 - age))
    mine = tmp_path / f"api-{os.getpid()}.log"
    mine.write_text("x")
    os.utime(mine, (1, 1))
    (tmp_path / "notes.log").write_text("of somebody else")
    log_files.tidy(tmp_path, kept=2)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {mine.name, "notes.log", f"worker-{LONG_GONE}.log", f"worker-{LONG_GONE - 1}.log"}
