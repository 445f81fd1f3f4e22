"""Calls to hosts in the real cluster: our own deadline, cached handles, errors that say whose fault it is."""

import time

import pytest
from ray.exceptions import RayTaskError

from actors.hosts import handle
from actors.hosts.contract import UnknownShard
from actors.hosts.kinds import KINDS
from tests.fixtures.shards import host_report, stopped_host


async def test_the_host_says_which_shards_answer(stack):
    stack.connect_ray()
    report = await host_report()
    assert {name.partition("/")[0] for name in report.ready} == set(KINDS)


async def test_the_handle_is_looked_up_once(stack):
    stack.connect_ray()
    assert await handle.get_host(0) is await handle.get_host(0)


@pytest.mark.parametrize(("shard", "method"), [(9, "poke"), (0, "_publish"), (0, "nothing")])
async def test_a_call_that_nobody_can_answer_is_the_callers_fault(stack, shard, method):
    stack.connect_ray()
    with pytest.raises((UnknownShard, RayTaskError)) as refusal:
        await handle.call("brokers", shard, method, b"", 10.0)
    assert "UnknownShard" in str(refusal.type) or "UnknownShard" in str(refusal.value)


async def test_a_stopped_process_meets_our_deadline(stack):
    stack.connect_ray()
    await host_report()
    async with stopped_host():
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            await handle.call("brokers", 0, "poke", b"", 1.0)
        assert time.monotonic() - started < 3.0
    assert await handle.call("brokers", 0, "poke", b"", 10.0) == b""
