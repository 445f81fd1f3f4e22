"""One channel, many sockets: how many deliveries per second, how late, and at what server CPU each.

The same client drives Mobula through HAProxy and a plain uvicorn program that does `await send(…)` per connection. The
run is a closed loop: at most `window` publications are on their way, so what is measured is what the server sustains
and not what it can queue. A second phase publishes in bursts, a third one message at a time for the idle latency.
"""

import asyncio
import secrets
import time
from dataclasses import dataclass

import psutil

from loadtests.client import Pool, timed_payload
from loadtests.processes import CpuMeter, peer
from loadtests.report import Report, percentile
from loadtests.stack import Stack

SETTLE_S = 15.0
"""How long the last publications may take to arrive everywhere before they count as missing."""
WINDOW = 8
BURST_WINDOW = 64
STALL_S = 20.0


class DeliveriesStopped(Exception):
    """Nothing arrived for too long: the server under test stands still, or publications were refused."""


@dataclass(frozen=True)
class Load:
    """What one run does."""

    sockets: int = 1000
    seconds: float = 10.0
    payload: int = 100


@dataclass(frozen=True)
class Outcome:
    """What one phase measured."""

    published: int
    delivered: int
    missing: int
    seconds: float
    server_cpu_s: float
    client_cpu_s: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Deliveries per second."""
        return self.delivered / self.seconds

    @property
    def server_us(self) -> float:
        """Server CPU per delivery, in microseconds."""
        return self.server_cpu_s / self.delivered * 1e6 if self.delivered else float("nan")


async def phase(pool: Pool, channel: str, load: Load, servers: list[psutil.Process], window: int) -> Outcome:
    """Keep `window` publications on their way for `load.seconds`, then wait for the last ones."""
    tally = pool.tally
    tally.reset()
    server, client = CpuMeter(servers).start(), CpuMeter([psutil.Process()]).start()
    started = time.monotonic()
    published, progress, progressed_at = 0, 0, started
    while (now := time.monotonic()) - started < load.seconds:
        while published * load.sockets - tally.deliveries < window * load.sockets:
            pool.connections[published % load.sockets].publish(channel, timed_payload(load.payload))
            published += 1
        if tally.deliveries != progress:
            progress, progressed_at = tally.deliveries, now
        elif now - progressed_at > STALL_S:
            raise DeliveriesStopped(f"{progress} deliveries, then none; errors {tally.errors[:3]}, {tally.closed}")
        await asyncio.sleep(0.001)
    expected = published * load.sockets  # polled: the counting path must not pay for setting an event
    while tally.deliveries < expected and time.monotonic() - started < load.seconds + SETTLE_S:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    seconds = time.monotonic() - started
    return Outcome(
        published=published,
        delivered=tally.deliveries,
        missing=expected - tally.deliveries,
        seconds=seconds,
        server_cpu_s=server.stop(),
        client_cpu_s=client.stop(),
        p50_ms=percentile(tally.latencies_us, 0.50) / 1000,
        p99_ms=percentile(tally.latencies_us, 0.99) / 1000,
    )


def _describe(report: Report, who: str, outcome: Outcome, *, goal: bool) -> None:
    report.add(f"{who}: delivered", outcome.rate, "msg/s", "≥ 90,000" if goal else "")
    report.add(f"{who}: server CPU per delivery", outcome.server_us, "µs", "≤ 9" if goal else "")
    report.add(f"{who}: p50 under load", outcome.p50_ms, "ms")
    report.add(f"{who}: p99 under load", outcome.p99_ms, "ms")
    report.add(f"{who}: missing deliveries", outcome.missing, "", "0" if goal else "")
    report.add(f"{who}: load client CPU per delivery", outcome.client_cpu_s / max(1, outcome.delivered) * 1e6, "µs")


async def measure_peer(load: Load) -> Outcome:
    """The plain uvicorn program under the same load."""
    async with peer("loadtests.peers.broadcast") as (process, port):
        pool = Pool(f"ws://127.0.0.1:{port}/connection/websocket")
        try:
            await pool.open(load.sockets, channels=["room:bench"])
            return await phase(pool, "room:bench", load, [process], WINDOW)
        finally:
            pool.close()


async def run(stack: Stack, load: Load) -> Report:
    """Measure Mobula and its peer, one after the other on the same machine."""
    await stack.check()
    report = Report("fanout")
    servers = stack.replicas("realtime")
    channel = f"room:bench-{secrets.token_hex(4)}"
    pool = Pool(stack.websocket_url)
    try:
        await stack.connect(pool, load.sockets, [channel])
        steady = await phase(pool, channel, load, servers, WINDOW)
        burst = await phase(pool, channel, load, servers, BURST_WINDOW)
    finally:
        pool.close()
    plain = await measure_peer(load)
    _describe(report, "mobula", steady, goal=True)
    report.add("mobula: delivered in bursts", burst.rate, "msg/s")
    report.add("mobula: server CPU per delivery in bursts", burst.server_us, "µs", "less than steady")
    report.add("mobula: missing deliveries in bursts", burst.missing, "", "0")
    _describe(report, "plain uvicorn", plain, goal=False)
    report.add("ratio of deliveries per second", steady.rate / plain.rate, "x")
    report.add("ratio of server CPU per delivery", steady.server_us / plain.server_us, "x")
    report.notes += [
        f"{load.sockets} sockets, {load.payload}-byte payloads, {WINDOW} ({BURST_WINDOW} in bursts) publications on "
        "their way; Mobula through HAProxy, the peer without a proxy; server CPU is that of the realtime replicas",
    ]
    if pool.tally.errors or pool.tally.closed:
        report.notes.append(f"errors {pool.tally.errors[:3]}, closed {pool.tally.closed}")
    return report
