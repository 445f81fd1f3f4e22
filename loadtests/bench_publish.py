"""Acknowledged publications per second at the broker's API: memory and durable, one shard, beside what they replace.

One process keeps `IN_FLIGHT` publications on the way, each waiting for its acknowledgement, over `CHANNELS` channels.
Its own CPU is reported beside the shard host's: on two cores the load generator, the shard and Postgres share them.

The peers do the same work as a team would build it: `XADD` to a stream in the Valkey of this stack, and one INSERT with
its own commit per message in the Postgres of this stack.
"""

import asyncio
import itertools
import os
import secrets
import time
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import redis.asyncio

from cluster.settings import Settings
from loadtests import joining
from loadtests.processes import CpuMeter
from loadtests.report import Report
from loadtests.stack import Stack

IN_FLIGHT = 1_000
CHANNELS = 50
PAYLOAD = b'{"p":"' + b"x" * 91 + b'"}'
PEER_CONNECTIONS = 20
WARM_S = 1.0

PublishOne = Callable[[str], Awaitable[object]]


async def sustained(publish: PublishOne, channels: list[str], seconds: float) -> tuple[float, "array[int]", float]:
    """Publications per second, the latency of each in µs, and the share of a core that this process used."""
    latencies = array("I")
    until = time.perf_counter() + WARM_S + seconds
    counting = time.perf_counter() + WARM_S
    counted = itertools.count()
    cpu: list[float] = []

    async def work(number: int) -> None:
        channel = channels[number % len(channels)]
        while (started := time.perf_counter()) < until:
            await publish(channel)
            if started >= counting:
                if not cpu:
                    cpu.append(time.process_time())
                next(counted)
                latencies.append(int((time.perf_counter() - started) * 1e6))

    await asyncio.gather(*(work(number) for number in range(IN_FLIGHT)))
    used = (time.process_time() - cpu[0]) / seconds if cpu else float("nan")
    return next(counted) / seconds, latencies, used


async def run(stack: Stack, seconds: float = 6.0) -> Report:
    """Measure both kinds of namespace and both peers."""
    await stack.check()
    settings = joining.join()
    report = Report("publish")
    hosts = stack.shard_hosts()
    from actors.brokers import handle

    brokers = handle.connect(f"bench-{secrets.token_hex(8)}")
    await brokers.start()
    try:
        await asyncio.wait_for(brokers.wait_attached(), 20.0)
        publish = publisher(brokers)
        for kind, namespace, goal in (("memory", "room", "≥ 30,000"), ("durable", "ledger", "≥ 20,000")):
            channels = [f"{namespace}:bench-{secrets.token_hex(4)}-{n}" for n in range(CHANNELS)]
            meter = CpuMeter(hosts).start()
            rate, latencies, own = await sustained(publish, channels, seconds)
            report.add(f"mobula, {kind}: acknowledged", rate, "publications/s", goal)
            report.latency(f"mobula, {kind}:", latencies)
            report.add(f"mobula, {kind}: shard host", 100 * meter.stop() / (seconds + WARM_S), "% of a core")
            report.add(f"mobula, {kind}: load generator", 100 * own, "% of a core")
    finally:
        await brokers.stop()
    for name, measure in (("Valkey, XADD", valkey), ("Postgres, INSERT and commit", postgres)):
        rate, latencies, own = await measure(settings, seconds)
        report.add(f"{name}: acknowledged", rate, "messages/s")
        report.latency(f"{name}:", latencies)
        report.add(f"{name}: load generator", 100 * own, "% of a core")
    report.notes.append(
        f"{IN_FLIGHT} on the way over {CHANNELS} channels, {len(PAYLOAD)} bytes each, {os.cpu_count()} cores"
    )
    return report


def publisher(brokers: Any) -> PublishOne:
    """A publication of the payload through a client of the shards."""
    from actors.brokers.contract import PublishRequest

    ids = itertools.count()
    prefix = secrets.token_hex(8)

    def publish(channel: str) -> Awaitable[object]:
        return brokers.publish(PublishRequest(channel, PAYLOAD, f"{prefix}-{next(ids)}"))

    return publish


async def valkey(settings: Settings, seconds: float) -> tuple[float, "array[int]", float]:
    """Messages added to streams of a few thousand entries, as a realtime server on Redis does."""
    client = redis.asyncio.Redis.from_url(settings.redis_url.get_secret_value(), max_connections=PEER_CONNECTIONS * 4)
    gate = asyncio.Semaphore(PEER_CONNECTIONS)

    async def publish(channel: str) -> object:
        async with gate:
            return await client.xadd(channel, {"d": PAYLOAD}, maxlen=300, approximate=True)

    channels = [f"bench:{secrets.token_hex(4)}-{n}" for n in range(CHANNELS)]
    try:
        return await sustained(publish, channels, seconds)
    finally:
        await client.delete(*channels)
        await client.aclose()


async def postgres(settings: Settings, seconds: float) -> tuple[float, "array[int]", float]:
    """One row and one commit per message, over a pool."""
    pool = await asyncpg.create_pool(settings.asyncpg_dsn, min_size=1, max_size=PEER_CONNECTIONS)
    table = f"app.bench_{secrets.token_hex(4)}"
    statement = f"INSERT INTO {table} (channel, data) VALUES ($1, $2)"
    try:
        await pool.execute(f"CREATE TABLE {table} (id bigserial PRIMARY KEY, channel text, data bytea)")

        def publish(channel: str) -> Awaitable[object]:
            return pool.execute(statement, channel, PAYLOAD)

        return await sustained(publish, [f"bench-{n}" for n in range(CHANNELS)], seconds)
    finally:
        await pool.execute(f"DROP TABLE IF EXISTS {table}")
        await pool.close()
