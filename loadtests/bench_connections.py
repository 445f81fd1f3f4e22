"""Many idle connections: what opening one costs, how fast they open, and what each occupies in the replicas."""

import asyncio
import secrets
import time

import psutil

from loadtests.client import Pool
from loadtests.processes import CpuMeter
from loadtests.report import Report
from loadtests.stack import Stack

WARM_UP = 100
"""Connections opened and closed first: allocator arenas and caches of a fresh process are not a connection's cost."""
SETTLE_S = 2.0


def private_bytes(processes: list[psutil.Process]) -> int:
    """Unshared resident memory of all processes."""
    return sum(int(process.memory_full_info().uss) for process in processes)


async def run(stack: Stack, sockets: int = 2000) -> Report:
    """Open `sockets` connections with one subscription each and see what they cost and add."""
    await stack.check()
    report = Report("connections")
    servers, shards = stack.replicas("realtime"), stack.shard_hosts()
    warm = Pool(stack.websocket_url)
    await stack.connect(warm, WARM_UP)
    warm.close()
    await asyncio.sleep(SETTLE_S)
    tokens = await stack.tokens(sockets)
    pool = Pool(stack.websocket_url)
    before = private_bytes(servers)
    try:
        server, shard, client = (
            CpuMeter(servers).start(),
            CpuMeter(shards).start(),
            CpuMeter([psutil.Process()]).start(),
        )
        started = time.monotonic()
        channels = [f"idle-{secrets.token_hex(4)}"]  # no joins pushed: they are fan-out, which bench fanout measures
        for token in sorted(set(tokens)):
            await pool.open(tokens.count(token), token=token, channels=channels)
        seconds = time.monotonic() - started
        server_s, shard_s, client_s = server.stop(), shard.stop(), client.stop()
        await asyncio.sleep(SETTLE_S)
        grown = private_bytes(servers) - before
    finally:
        pool.close()
    report.add("mobula: private memory per idle connection", grown / sockets / 1024, "KiB", "≤ 20")
    report.add("mobula: connections opened", sockets / seconds, "per second")
    report.add("mobula: realtime CPU per connection opened", server_s / sockets * 1e6, "µs")
    report.add("mobula: shard host CPU per connection opened", shard_s / sockets * 1e6, "µs")
    report.add("mobula: load client CPU per connection", client_s / sockets * 1e6, "µs")
    report.notes += [
        f"{sockets} connections with one subscription each, over {len(servers)} realtime replicas; opening is the "
        "handshake, connect with a token, session registration and subscribe, 64 at once",
        "run it on a stack that was just started: memory that earlier sockets left is used again and not counted",
    ]
    return report
