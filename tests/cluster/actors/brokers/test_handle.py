"""Broker shards in the real cluster: what kill -9 and SIGSTOP of their process do to publishers and subscribers."""

import asyncio
import time
from uuid import uuid4

import asyncpg
import msgspec

from actors.brokers import handle
from actors.brokers.contract import BrokerError, HistoryRequest, StreamPosition
from actors.metrics import handle as metrics
from actors.metrics.snapshot import Snapshot
from tests.fixtures.shards import connected, host_report, kill_host, stopped_host
from tests.fixtures.waiting import eventually

RESUMES_WITHIN_S = 30.0
"""Generous for a busy machine; the printed figure is what counts."""


async def resumes(publish):
    started = time.monotonic()
    position = await eventually(publish, RESUMES_WITHIN_S, retry_on=(BrokerError,))
    print(f"publishing resumed after {time.monotonic() - started:.1f} s")
    return position


async def test_kill_9_of_the_shard_loses_nothing_of_a_durable_channel_and_renews_a_memory_channel(stack):
    durable, memory = f"ledger:{uuid4()}", f"room:{uuid4()}"
    async with connected(stack, "hub", "publisher") as (hub, publisher):
        await hub.subscribe(durable, presence=False)
        await hub.subscribe(memory, presence=False)
        before = {channel: await publisher.publish(channel, "before") for channel in (durable, memory)}
        killed = await kill_host()
        after = await resumes(lambda: publisher.publish(durable, "after"))
        assert after == StreamPosition(before[durable].epoch, 2), "same epoch, next offset"
        renewed = await resumes(lambda: publisher.publish(memory, "after"))
        assert renewed.epoch != before[memory].epoch
        assert (await host_report()).pid != killed.pid
        await eventually(
            lambda: [e[2:] for e in hub.sink.of("pub") if e[1] == durable] == [("before", 1), ("after", 2)]
        )
        await eventually(lambda: hub.sink.of("insufficient") == [("insufficient", memory)])
        read = await publisher.brokers.history(HistoryRequest(durable, limit=-1))
        assert [p.data for p in read.publications] == [b"before", b"after"]
        late = await hub.subscribe(memory, "late", since=before[memory], presence=False)
        assert not late.recovered


async def test_under_load_every_acknowledged_durable_publication_survives_kill_9(stack):
    channel = f"ledger:{uuid4()}"
    acknowledged: dict[str, int] = {}
    refused: set[str] = set()
    async with connected(stack, "hub", "publisher") as (hub, publisher):
        await hub.subscribe(channel, presence=False)
        stop = asyncio.Event()

        async def work(number):
            n = 0
            while not stop.is_set():
                name = f"{number}.{n}"
                n += 1
                try:
                    acknowledged[name] = (await publisher.publish(channel, name)).offset
                except BrokerError:
                    refused.add(name)

        workers = [asyncio.create_task(work(number)) for number in range(8)]
        for _ in range(2):
            count = len(acknowledged)
            await eventually(lambda count=count: len(acknowledged) > count + 200, RESUMES_WITHIN_S)
            await kill_host()
            count = len(acknowledged)
            await eventually(lambda count=count: len(acknowledged) > count + 50, RESUMES_WITHIN_S)
        stop.set()
        await asyncio.gather(*workers)
        connection = await asyncpg.connect(stack.database_url)
        rows = await connection.fetch(
            "SELECT \"offset\", convert_from(data, 'UTF8') FROM app.stream_publications WHERE channel = $1 ORDER BY 1",
            channel,
        )
        await connection.close()
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        stored = {row[1]: row[0] for row in rows}
        assert len(stored) == len(rows), "stored twice"
        assert {name: stored.get(name) for name in acknowledged} == acknowledged
        assert set(stored) <= set(acknowledged) | refused
        await eventually(lambda: len(hub.sink.of("pub")) == len(rows), RESUMES_WITHIN_S)
        assert [(entry[3], entry[2]) for entry in hub.sink.of("pub")] == [tuple(row) for row in rows]
        print(f"{len(acknowledged)} acknowledged, {len(refused)} answered with error 100")


async def test_a_stopped_shard_is_suspected_and_everything_it_was_sent_happens_once(stack):
    channel = f"ledger:{uuid4()}"
    async with connected(stack, "publisher") as (publisher,):
        await publisher.publish(channel, 0)
        async with stopped_host():
            started = time.monotonic()
            results = await asyncio.gather(*(publisher.publish(channel, n) for n in (1, 2)), return_exceptions=True)
            assert {result.code for result in results} == {100}
            assert time.monotonic() - started < 6.0
            assert not publisher.brokers.attached
        position = await resumes(lambda: publisher.publish(channel, "after"))
        read = await publisher.brokers.history(HistoryRequest(channel, limit=-1))
        texts = [p.data.decode() for p in read.publications]
        assert texts[0] == "0"
        assert texts[-1] == "after"
        assert len(texts) == len(set(texts)) == position.offset


async def test_a_transaction_in_plain_sql_reaches_subscribers_and_a_poke_makes_it_quick(stack):
    channel = f"room:{uuid4()}"
    async with connected(stack, "hub") as (hub,):
        await hub.subscribe(channel, presence=False)
        connection = await asyncpg.connect(stack.database_url)
        await connection.execute("SELECT app.publish($1, '{\"n\": 1}')", channel)
        await eventually(lambda: len(hub.sink.publications) == 1)
        await connection.execute("SELECT app.publish($1, '{\"n\": 2}')", channel)
        await handle.poke([channel, channel])
        await eventually(lambda: len(hub.sink.publications) == 2)
        await connection.close()
        assert [p.data for p in hub.sink.publications] == [b'{"n": 1}', b'{"n": 2}']


async def test_idle_latency_and_throughput_are_printed(stack):
    """Figures of DESIGN §7 at the broker's API, through Ray; they depend on what else the machine does."""
    async with connected(stack, "publisher") as (publisher,):
        for namespace in ("room", "ledger"):
            channel = f"{namespace}:{uuid4()}"
            await publisher.publish(channel, "warm")
            latencies = []
            for n in range(200):
                started = time.perf_counter()
                await publisher.publish(channel, n)
                latencies.append((time.perf_counter() - started) * 1000)
            latencies.sort()
            started = time.perf_counter()

            async def work(channel=channel):
                for _ in range(20):
                    await publisher.publish(channel, "x" * 100)

            await asyncio.gather(*(work() for _ in range(500)))
            rate = 10_000 / (time.perf_counter() - started)
            print(f"{namespace}: p50 {latencies[100]:.1f} ms, p99 {latencies[198]:.1f} ms, {rate:.0f} acknowledged/s")
            assert rate > 500


async def test_shard_hosts_tell_how_much_their_channels_keep(stack):
    async def measured():
        merged = msgspec.msgpack.decode(await metrics.call("merged", b"", 2.0), type=Snapshot)
        found = {sample.name: sample.value for family in merged for sample in family.samples}
        return found.get("broker_memory_bytes", 0) > 1_000 and found.get("broker_channels", 0) > 0

    async with connected(stack, "publisher") as (publisher,):
        await publisher.publish(f"room:{uuid4()}", "x" * 1_000)
        await eventually(measured)
