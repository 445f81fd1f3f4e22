"""A realtime process that reads nothing while others publish hard: what it costs the broker shard, and its clients."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import uuid4

import psutil

from actors.brokers.contract import PublishRequest
from actors.links.stream import QUEUE_BYTES
from tests.fixtures.chaos import ChaosClient, chaos
from tests.fixtures.faults import replicas
from tests.fixtures.people import Person
from tests.fixtures.shards import connected, host_report
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

CHANNELS = 8
PAYLOAD = b'"' + b"x" * 16_000 + b'"'
HISTORY = 100
"""Of the namespace `scores`."""

ROUNDS = 500
"""Publications per channel: 64 MB in all, sixteen times what may wait for a hub."""

AT_ONCE = 32
MEMORY_SLACK = 12 * 2**20
"""What an allocator keeps of a burst."""


async def test_a_hub_that_reads_nothing_costs_its_bound_and_its_clients_are_told(stack: RunningStack) -> None:
    (other, _), (port, victim) = sorted(replicas(stack, "realtime").items())[:2]
    channels = [f"scores:flood-{uuid4()}" for _ in range(CHANNELS)]
    async with (
        connected(stack, "flood") as [publisher],
        listening(stack, f"ws://127.0.0.1:{port}/connection/websocket", channels) as clients,
        chaos(stack, url=f"ws://127.0.0.1:{other}/connection/websocket") as run,
    ):

        async def flood(rounds: int) -> None:
            room = asyncio.Semaphore(AT_ONCE)

            async def one(channel: str) -> None:
                async with room:
                    await publisher.brokers.publish(PublishRequest(channel, PAYLOAD, uuid4().hex))

            for _ in range(rounds):
                await asyncio.gather(*(one(channel) for channel in channels))

        await flood(HISTORY)
        await eventually(lambda: all(client.told[c].offset >= HISTORY for client in clients for c in channels), 60.0)
        shard_host = psutil.Process((await host_report()).pid)
        before = shard_host.memory_info().rss
        with stopped(victim):
            await flood(ROUNDS)
            grown = shard_host.memory_info().rss - before
            print(f"{ROUNDS * CHANNELS * len(PAYLOAD) >> 20} MB published, the shard host grew by {grown >> 20} MB")
            assert grown < QUEUE_BYTES + MEMORY_SLACK
            await run.flows()
        marks: set[str] = set()

        async def all_hear_marks() -> bool:
            # One after another: who is not recovered begins behind the marks that there are already.
            mark = str(uuid4())
            marks.add(mark)
            for channel in channels:
                await publisher.brokers.publish(PublishRequest(channel, json.dumps(mark).encode(), uuid4().hex))
            return all(marks & set(client.told[c].payloads[-3:]) for client in clients for c in channels)

        await eventually(all_hear_marks, 60.0, every_s=0.5)
        for client in clients:
            for told in client.told.values():
                for (_, offset), segment in zip(told.positions, told.segments, strict=True):
                    offsets = [entry[1] for entry in segment]
                    assert offsets == list(range(offset + 1, offset + 1 + len(offsets))), (
                        "a gap that nobody was told of"
                    )
        await run.settle()
        print(run.verify())
        assert [client.connections for client in run.clients] == [1] * len(run.clients), "somebody else noticed"


@contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """SIGSTOP for the length of the block: its sockets stay open and nobody reads them."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@asynccontextmanager
async def listening(stack: RunningStack, url: str, channels: list[str]) -> AsyncIterator[list[ChaosClient]]:
    """Clients of one realtime process that are subscribed to every channel."""
    person = await Person.register(stack.http_url)
    clients = [ChaosClient(url, person.connection_token, f"listener-{number}", channels) for number in range(2)]
    try:
        for client in clients:
            client.start()
        await eventually(lambda: all(client.ready for client in clients), 60.0)
        yield clients
    finally:
        for client in clients:
            await client.stop()
        await person.close()
