"""What an idle connection costs the realtime replicas in memory."""

import asyncio
import secrets

import psutil

from loadtests.client import Pool
from loadtests.report import Report
from loadtests.stack import Stack

WARM_UP = 100
"""Connections opened and closed first: allocator arenas and caches of a fresh process are not a connection's cost."""
SETTLE_S = 2.0


def private_bytes(processes: list[psutil.Process]) -> int:
    """Unshared resident memory of all processes."""
    return sum(int(process.memory_full_info().uss) for process in processes)


async def run(stack: Stack, sockets: int = 2000) -> Report:
    """Open `sockets` connections with one subscription each and see what they add."""
    await stack.check()
    report = Report("memory")
    servers = stack.replicas("realtime")
    account = await stack.account()
    warm = Pool(stack.websocket_url)
    await stack.connect(warm, account, WARM_UP)
    warm.close()
    await asyncio.sleep(SETTLE_S)
    pool = Pool(stack.websocket_url)
    before = private_bytes(servers)
    try:
        await stack.connect(pool, account, sockets, [f"room:idle-{secrets.token_hex(4)}"])
        await asyncio.sleep(SETTLE_S)
        grown = private_bytes(servers) - before
    finally:
        pool.close()
    report.add("mobula: private memory per idle connection", grown / sockets / 1024, "KiB", "≤ 20")
    report.notes += [
        f"{sockets} connections with one subscription each, over {len(servers)} realtime replicas",
        "run it on a stack that was just started: memory that earlier sockets left is used again and not counted",
    ]
    return report
