import os
import time
from pathlib import Path

import pytest

from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.ray_runtime.generations import MAX_AGE_S, MAX_GENERATIONS, Generation, living, overdue
from cluster.ray_runtime.haproxy_wrapper import record
from cluster.services.process import Identity


def own_start() -> float:
    identity = Identity.of(os.getpid())
    assert identity is not None
    return identity.created


def test_records_are_of_this_checkout(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert generations.directory(paths).parent == paths.haproxy


def test_the_living_are_listed_oldest_first_and_the_dead_forgotten(tmp_path: Path) -> None:
    started = own_start()
    (tmp_path / str(os.getpid())).write_text(f"{started + 1} a")
    (tmp_path / str(os.getppid())).write_text(f"{_created(os.getppid()) + 0.5} a")
    (tmp_path / "4194303").write_text(f"{time.time()} a")
    found = living(tmp_path)
    assert {generation.pid for generation in found} == {os.getpid(), os.getppid()}
    assert found == sorted(found, key=lambda generation: generation.started)
    assert not (tmp_path / "4194303").exists()


def _created(pid: int) -> float:
    identity = Identity.of(pid)
    assert identity is not None
    return identity.created


def test_another_process_under_a_used_pid_is_no_generation(tmp_path: Path) -> None:
    for started in (own_start() - 3600, own_start() + 3600):
        (tmp_path / str(os.getpid())).write_text(f"{started} a")
        assert living(tmp_path) == []


def test_what_is_unreadable_or_unfinished_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "123").write_text("soon a")
    (tmp_path / str(os.getpid())).write_text(str(own_start()))
    (tmp_path / ".124").write_text(f"{time.time()} a")
    assert living(tmp_path) == []
    assert living(tmp_path / "missing") == []


def test_what_the_wrapper_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "WRAPPER_START_S", float("inf"))
    record(tmp_path / "new", os.getpid(), "0badc0ffee00")
    [found] = living(tmp_path / "new")
    assert (found.pid, found.edge) == (os.getpid(), "0badc0ffee00")
    assert found.name == f"0badc0ffee00-{os.getpid()}"


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
