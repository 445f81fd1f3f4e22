import os
import time
from pathlib import Path

from cluster.paths import Paths
from cluster.ray_runtime import generations
from cluster.ray_runtime.generations import Generation, living
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
    (tmp_path / str(os.getpid())).write_text(str(started + 1))
    (tmp_path / str(os.getppid())).write_text(str(_created(os.getppid()) + 0.5))
    (tmp_path / "4194303").write_text(str(time.time()))
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
        (tmp_path / str(os.getpid())).write_text(str(started))
        assert living(tmp_path) == []


def test_what_is_unreadable_or_unfinished_is_not_counted(tmp_path: Path) -> None:
    (tmp_path / "123").write_text("soon")
    (tmp_path / ".124").write_text(str(time.time()))
    assert living(tmp_path) == []
    assert living(tmp_path / "missing") == []


def test_what_the_wrapper_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / str(os.getpid())).write_text(str(own_start()))
    assert living(tmp_path) == [Generation(os.getpid(), own_start())]
    record(tmp_path / "new", os.getpid())
    assert (tmp_path / "new" / str(os.getpid())).is_file()
