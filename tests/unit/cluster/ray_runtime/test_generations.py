import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.ray_runtime.generations import MAX_AGE_S, MAX_GENERATIONS, Generation, living, overdue
from cluster.ray_runtime.haproxy_wrapper import birth, record


@pytest.fixture
def haproxys(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts processes with a record in `tmp_path / "generations"`, as the wrapper does."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> int:
        process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        started.append(process)
        record(tmp_path / "generations", process.pid, "0badc0ffee00")
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_records_are_of_this_checkout(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert generations.directory(paths).parent == paths.haproxy


def test_the_living_are_listed_oldest_first_and_the_dead_forgotten(
    tmp_path: Path, haproxys: Callable[..., int]
) -> None:
    records = tmp_path / "generations"
    before = time.time()
    pids = [haproxys(), haproxys()]
    (records / "4194303").write_text("?:1 0badc0ffee00")
    found = living(records)
    assert [generation.pid for generation in found] == pids
    assert [generation.name for generation in found] == [f"0badc0ffee00-{pid}" for pid in pids]
    assert all(abs(generation.started - before) < 60 for generation in found)
    assert not (records / "4194303").exists()


def test_a_step_of_the_wall_clock_ends_no_generation_and_changes_no_age(
    tmp_path: Path, haproxys: Callable[..., int], step_clock: Callable[[float], None]
) -> None:
    pids = [haproxys(), haproxys()]
    step_clock(3600.0)
    found = living(tmp_path / "generations")
    assert [generation.pid for generation in found] == pids
    assert all(abs(generation.started - (time.time() + 3600)) < 60 for generation in found)


def test_another_process_under_a_used_pid_is_no_generation(tmp_path: Path, haproxys: Callable[..., int]) -> None:
    pid, records = haproxys(), tmp_path / "generations"
    boot, _, _ = birth(pid).partition(":")
    (records / str(pid)).write_text(f"{boot}:1 0badc0ffee00")  # of one that has ended
    assert living(records) == []
    assert not (records / str(pid)).exists()


def test_what_is_unfinished_is_not_counted(tmp_path: Path, haproxys: Callable[..., int]) -> None:
    pid = haproxys()
    (tmp_path / "generations" / str(pid)).rename(tmp_path / "generations" / f".{pid}")
    assert living(tmp_path / "generations") == []
    assert living(tmp_path / "missing") == []


NOW = 1_000_000.0


def line(*started: float) -> list[Generation]:
    return [Generation(number, start, "a") for number, start in enumerate(started, 1)]


def pids_overdue(generations: list[Generation], now: float) -> list[int]:
    return [generation.pid for generation in overdue(generations, now)]


def minutes_ago(*minutes: float) -> list[Generation]:
    return line(*[NOW - minute * 60 for minute in minutes])


def test_up_to_four_processes_are_left_alone() -> None:
    assert pids_overdue([], NOW) == []
    assert len(minutes_ago(40, 30, 20, 10)) == MAX_GENERATIONS
    assert pids_overdue(minutes_ago(40, 30, 20, 10), NOW) == []


def test_beyond_four_the_oldest_are_emptied() -> None:
    assert pids_overdue(minutes_ago(60, 50, 40, 30, 20, 10), NOW) == [1, 2]


def test_processes_that_one_deployment_leaves_for_a_moment_do_not_count() -> None:
    assert pids_overdue(minutes_ago(40, 30, 20, 0.7, 0.6, 0.5, 0.4), NOW) == []
    assert pids_overdue(minutes_ago(40, 30, 20, 10, 2, 0.6, 0.5), NOW) == [1]


def test_age_counts_from_the_successor_and_the_one_that_listens_has_none() -> None:
    month = 30 * 86_400.0
    assert pids_overdue(line(NOW - month), NOW) == []
    assert pids_overdue(line(NOW - month, NOW - MAX_AGE_S + 60), NOW) == []
    assert pids_overdue(line(NOW - month, NOW - MAX_AGE_S - 60, NOW - 60), NOW) == [1]
