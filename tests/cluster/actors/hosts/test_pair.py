"""A host's two processes in the real cluster: whatever is lost, publishing goes on within seconds."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from tests.fixtures.chaos import chaos
from tests.fixtures.faults import kill_one_ray_process, kill_shard_hosts
from tests.fixtures.shards import host_report, kill_host, standby_report
from tests.fixtures.waiting import eventually

KILL_LIMIT_S = 5.0
"""DESIGN §5, 6. The printed figure is what counts; on a quiet machine it is about one second."""


async def test_kill_9_of_the_shard_host_under_load(stack):
    stack.connect_ray()
    standby = await standby_report()
    async with chaos(stack) as run:
        killed = await kill_host()
        await run.flows()
        assert (await host_report()).pid == standby.pid != killed.pid
        await run.settle()
        print(run.verify())
        for channel in run.channels:
            assert run.longest_silence(channel) < KILL_LIMIT_S
    await standby_report()


async def test_kill_9_of_the_shard_host_and_of_a_realtime_replica_at_once(stack):
    stack.connect_ray()
    await standby_report()
    async with chaos(stack, clients=6) as run:
        kill_one_ray_process(stack, "ServeReplica:realtime")
        await kill_host()
        await run.flows()
        await run.settle()
        print(run.verify())


async def test_kill_9_of_both_processes_of_a_host(stack):
    stack.connect_ray()
    await standby_report()
    async with chaos(stack) as run:
        assert len(kill_shard_hosts(stack)) == 2
        await run.flows(limit_s=60.0)
        await run.settle()
        print(run.verify())


async def test_a_stopped_shard_host_under_load(stack):
    stack.connect_ray()
    standby = await standby_report()
    report = await host_report()
    async with chaos(stack) as run:
        os.kill(report.pid, signal.SIGSTOP)
        await run.flows()
        assert (await host_report()).pid == standby.pid
        await run.settle()
        print(run.verify())
    await eventually(lambda: not os.path.exists(f"/proc/{report.pid}"), 20.0)


async def test_a_stopped_standby_under_load(stack):
    """It is needed for its leave only: the active process ends it before its own lease is over, and misses nothing."""
    stack.connect_ray()
    standby, active = await standby_report(), await host_report()
    # One that has not given leave yet is nobody whose leave is waited for.
    await eventually(lambda: watches(active.pid, standby.pid), 20.0)
    async with chaos(stack) as run:
        os.kill(standby.pid, signal.SIGSTOP)
        await eventually(lambda: not os.path.exists(f"/proc/{standby.pid}"), 20.0)
        await run.flows()
        assert (await host_report()).incarnation == active.incarnation
        await run.settle()
        print(run.verify())
        for channel in run.channels:
            assert run.longest_silence(channel) < KILL_LIMIT_S
    assert (await standby_report()).pid != standby.pid


def watches(pid: int, other: int) -> bool:
    """Whether a process holds a pidfd of another one: it has had its answer."""
    said = (file.read_text() for file in Path(f"/proc/{pid}/fdinfo").iterdir())
    with contextlib.suppress(FileNotFoundError):  # a descriptor that was closed meanwhile
        return any(f"Pid:\t{other}\n" in text for text in said)
    return False


@pytest.mark.parametrize("service", ["postgres", "valkey"])
async def test_kill_9_of_a_service_under_load(stack, service):
    stack.connect_ray()
    before = stack.status["services"][service]
    async with chaos(stack) as run:
        os.kill(before["pid"], signal.SIGKILL)
        await eventually(lambda: stack.status["services"][service]["pid"] not in (None, before["pid"]), 60.0)
        await run.flows()
        await run.settle()
        print(run.verify())
