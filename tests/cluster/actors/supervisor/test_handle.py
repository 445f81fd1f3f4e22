"""The supervisor in the real cluster: what is gone or does not answer comes back."""

import asyncio
import os
import signal

import ray

from actors.hosts import handle as hosts
from actors.supervisor import handle
from cluster.names import RAY_NAMESPACE, shard_host
from tests.fixtures.shards import host_report, standby_report
from tests.fixtures.waiting import eventually


async def other_incarnation(before):
    async def seen():
        report = await hosts.report(0)
        return report if report.incarnation != before.incarnation and all(report.ready.values()) else None

    return await eventually(seen, 90.0, retry_on=(Exception,))


async def test_ensuring_again_changes_nothing(stack):
    stack.connect_ray()
    before = await host_report()
    await asyncio.to_thread(handle.ensure)
    assert (await host_report()).incarnation == before.incarnation


async def test_a_host_that_was_ended_for_good_is_created_again(stack):
    stack.connect_ray()
    before = await host_report()
    standby = await standby_report()
    actor = await asyncio.to_thread(ray.get_actor, shard_host(0, before.side), RAY_NAMESPACE)
    await asyncio.to_thread(ray.kill, actor, no_restart=True)
    after = await other_incarnation(before)
    assert after.pid == standby.pid
    created = await standby_report()
    assert created.side == before.side
    assert created.pid != before.pid


async def test_a_host_that_stays_stopped_is_ended_and_restarted(stack):
    stack.connect_ray()
    before = await host_report()
    os.kill(before.pid, signal.SIGSTOP)
    try:
        after = await other_incarnation(before)
        assert after.pid != before.pid
    finally:
        if os.path.exists(f"/proc/{before.pid}"):
            os.kill(before.pid, signal.SIGKILL)
