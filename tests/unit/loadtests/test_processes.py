"""CPU of processes and peers as child processes."""

import os
import time

import psutil
import pytest

from loadtests.processes import CpuMeter, PeerFailed, find_replicas, find_titled, peer


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


def test_no_replicas_of_an_unknown_application() -> None:
    assert find_replicas(f"nothing-{os.getpid()}", 1) == []
    assert find_titled(f"Nothing{os.getpid()}", 1) == []
