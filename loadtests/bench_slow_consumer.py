"""One client among many does not read any more: what do the others notice?

The same closed loop as the fan-out, twice: while everybody reads, and with one more client that stands still from the
beginning. Mobula closes that client with 3008 once its queue is full, and before it HAProxy's and the system's buffers,
some 13 MB in all; or with 3012 when its answer to a ping is missed before. The plain program waits for it, and with it
everybody.
"""

import secrets
import socket
from dataclasses import dataclass, replace
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

STALLED_RUN = 2
"""The run with one who stands still is so many times as long: the buffers before its queue must fill first."""

ENDINGS = (3008, 3012)
"""Its queue is full; or, where that takes longer than half a minute, it has not answered a ping."""


@dataclass(frozen=True)
class Compared:
    """Deliveries to those who read, without and with one who does not."""

    all_read: Outcome
    one_stalled: Outcome | None
    """None: nobody got anything any more."""


def stall(pool: Pool) -> None:
    """Stop reading on the pool's only connection."""
    transport: Any = pool.connections[0].transport
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
    transport.pause_reading()


async def compare(others: Pool, stalled: Pool, channel: str, load: Load, servers: list[psutil.Process]) -> Compared:
    """`others` are subscribed and read; so is `stalled`, with one connection, until it is told not to read."""
    all_read = await phase(others, channel, load, servers, WINDOW)
    stall(stalled)
    try:
        longer = replace(load, seconds=load.seconds * STALLED_RUN)
        return Compared(all_read, await phase(others, channel, longer, servers, WINDOW))
    except DeliveriesStopped:
        return Compared(all_read, None)


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
        before = await stack.closed_with(*ENDINGS)
        ours = await compare(others, stalled, channel, load, servers)
        closed = await stack.closed_with(*ENDINGS) - before
    finally:
        others.close()
        stalled.close()
    describe(report, "mobula", ours)
    report.add("mobula: closed with 3008 or 3012", closed, "", "1")
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
