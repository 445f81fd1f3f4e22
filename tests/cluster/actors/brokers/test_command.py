"""Broker shards are added and removed in the running stack, under load, with the proof of the chaos checker."""

import asyncio

from tests.fixtures.chaos import chaos


async def test_shards_are_added_and_removed_under_load(stack):
    stack.connect_ray()
    async with chaos(stack, namespaces=("room", "room", "ledger", "ledger")) as run:
        for count in ("3", "1"):
            done = await asyncio.to_thread(stack.run, "shards", count)
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"shard {int(count) - 1}: {1024 // int(count)}" in done.stdout
            await run.flows()
        await run.settle()
        print(run.verify())
        for channel in run.channels:
            assert all(not client.told[channel].broken_at for client in run.clients), "memory channels keep their epoch"
            assert all(not client.uncertain[channel] for client in run.clients)
    shown = await asyncio.to_thread(stack.run, "shards")
    assert "shard 0: 1024 of 1024 buckets" in shown.stdout
