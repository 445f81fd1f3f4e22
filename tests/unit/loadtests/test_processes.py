"""CPU of processes and peers as child processes."""

import os
import time
from pathlib import Path

import psutil
import pytest

from loadtests.processes import CpuMeter, PeerFailed, checkout_home, find_replicas, find_stack, find_titled, peer
from tests.fixtures.waiting import eventually_sync


def test_cpu_meter_counts_what_the_process_used() -> None:
    meter = CpuMeter([psutil.Process()]).start()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert 0.08 <= meter.stop() < 5


def test_cpu_meter_refuses_a_process_that_ended() -> None:
    child = psutil.Popen(["true"])
    meter = CpuMeter([child])
    meter.start()
    child.wait()
    with pytest.raises(psutil.NoSuchProcess):
        meter.stop()


async def test_peer_runs_until_the_block_ends() -> None:
    async with peer("loadtests.peers.broadcast") as (process, port):
        assert process.is_running()
        assert port > 0
    assert not process.is_running()


async def test_peer_that_does_not_start_is_an_error() -> None:
    with pytest.raises(PeerFailed, match="ended with status"):
        async with peer("loadtests.peers.broadcast", ["--unknown-option"]):
            pass


def test_processes_are_found_by_title_and_checkout(tmp_path: Path) -> None:
    """A process with Ray's title that belongs to another checkout is not ours."""
    title = "ray::ServeReplica:nothing:Nothing"
    command = ["bash", "-c", f'exec -a "{title}" sleep 60']
    with psutil.Popen(command, env={**os.environ, "MOBULA_CHECKOUT": str(tmp_path)}) as child:
        try:
            ours = eventually_sync(lambda: find_replicas("nothing", tmp_path))
            assert [process.pid for process in ours] == [child.pid]
            assert find_replicas("nothing", tmp_path / "other") == []
            assert find_replicas("something", tmp_path) == []
            assert find_titled("ServeReplica", tmp_path) == ours
        finally:
            child.kill()


def test_a_stack_is_its_supervisor_whoever_carries_its_mark_and_their_children(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    marked = {**os.environ, "MOBULA_CHECKOUT": str(tmp_path)}
    plain = {name: value for name, value in os.environ.items() if name != "MOBULA_CHECKOUT"}
    with (
        psutil.Popen(["bash", "-c", "sleep 61 & wait"], env=plain, start_new_session=True) as supervisor,
        psutil.Popen(["sleep", "62"], env=marked) as ray,
        psutil.Popen(["sleep", "63"], env=plain) as stranger,
    ):
        (tmp_path / "run" / "daemon.lock").write_text(f'{{"pid": {supervisor.pid}, "started": 1.0}}')
        try:
            child = eventually_sync(supervisor.children)[0]
            assert {process.pid for process in find_stack(tmp_path)} == {supervisor.pid, child.pid, ray.pid}
        finally:
            for process in (child, supervisor, ray, stranger):
                process.kill()


def test_without_a_supervisor_there_is_nothing(tmp_path: Path) -> None:
    assert find_stack(tmp_path) == []


def test_home_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOBULA_HOME", raising=False)
    assert checkout_home().name == ".mobula"
    monkeypatch.setenv("MOBULA_HOME", "/elsewhere")
    assert checkout_home() == Path("/elsewhere")
