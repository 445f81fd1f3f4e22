"""One client among many does not read any more: what do the others notice?

The same closed loop as the fan-out, twice: while everybody reads, and with one more client that stands still from the
beginning. Mobula closes that client with 3008 once its queue is full. The plain program waits for it, and with it
everybody.
"""

import asyncio
import secrets
import socket
from dataclasses import dataclass
from typing import Any

import psutil

from loadtests.bench_fanout import DeliveriesStopped, Load, Outcome, phase
from loadtests.client import Pool
from loadtests.processes import peer
from loadtests.report import Report
from loadtests.stack import Stack

WINDOW = 4
PAYLOAD = 30_000
"""Bytes: its queue must fill within the run."""

KERNEL_BYTES = 16_384
"""Receive buffer of the client that stands still: the less it holds, the sooner it is noticed."""

END_S = 5.0
"""How long a client that reads again may take to learn that it was closed."""


@dataclass(frozen=True)
class Compared:
    """Deliveries to those who read, without and with one who does not."""

    all_read: Outcome
    one_stalled: Outcome | None
    """None: nobody got anything any more."""
    close_code: int
    """What the one who did not read was closed with; 0: not at all."""


def stall(pool: Pool) -> Any:
    """Stop reading on the pool's only connection; returns its transport."""
    transport: Any = pool.connections[0].transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
    transport.pause_reading()
    return transport


async def compare(others: Pool, stalled: Pool, channel: str, load: Load, servers: list[psutil.Process]) -> Compared:
    """`others` are subscribed and read; so is `stalled`, with one connection, until it is told not to read."""
    all_read = await phase(others, channel, load, servers, WINDOW)
    transport = stall(stalled)
    one_stalled = None
    try:
        one_stalled = await phase(others, channel, load, servers, WINDOW)
    except DeliveriesStopped:
        return Compared(all_read, None, 0)
    transport.resume_reading()
    for _ in range(int(END_S / 0.05)):
        if stalled.tally.closed:
            break
        await asyncio.sleep(0.05)
    return Compared(all_read, one_stalled, next(iter(stalled.tally.closed), 0))


async def measure_peer(load: Load) -> Compared:
    """The plain uvicorn program, with the one who does not read among its first subscribers."""
    async with peer("loadtests.peers.broadcast") as (process, port):
        url = f"ws://127.0.0.1:{port}/connection/websocket"
        others, stalled = Pool(url), Pool(url)
        try:
            await stalled.open(1, channels=["room:bench"])
            await others.open(load.sockets, channels=["room:bench"])
            return await compare(others, stalled, "room:bench", load, [process])
        finally:
            others.close()
            stalled.close()


async def run(stack: Stack, load: Load) -> Report:
    """Measure Mobula and its peer, one after the other on the same machine."""
    await stack.check()
    report = Report("slow-consumer")
    servers = stack.replicas("realtime")
    channel = f"room:bench-{secrets.token_hex(4)}"
    others, stalled = Pool(stack.websocket_url), Pool(stack.websocket_url)
    try:
        await stack.connect(stalled, 1, [channel])
        await stack.connect(others, load.sockets, [channel])
        ours = await compare(others, stalled, channel, load, servers)
    finally:
        others.close()
        stalled.close()
    describe(report, "mobula", ours)
    report.add("mobula: close code of the one who does not read", ours.close_code, "", "3008, or 1006 when it is cut")
    describe(report, "plain uvicorn", await measure_peer(load))
    report.notes.append(
        f"{load.sockets} sockets that read and one that does not, {load.payload}-byte payloads, {WINDOW} publications "
        "on their way; Mobula through HAProxy, the peer without a proxy"
    )
    return report


def describe(report: Report, who: str, compared: Compared) -> None:
    """Add the figures of one server."""
    before, after = compared.all_read, compared.one_stalled
    report.add(f"{who}: delivered, everybody reads", before.rate, "msg/s")
    report.add(f"{who}: p99, everybody reads", before.p99_ms, "ms")
    report.add(f"{who}: delivered, one does not read", after.rate if after is not None else 0.0, "msg/s")
    if after is not None:
        report.add(f"{who}: p99, one does not read", after.p99_ms, "ms")
        report.add(f"{who}: missing deliveries", after.missing, "", "0")
        report.add(f"{who}: ratio of deliveries per second", after.rate / before.rate, "x", "1")
        report.add(f"{who}: ratio of p99", after.p99_ms / before.p99_ms, "x", "1")
