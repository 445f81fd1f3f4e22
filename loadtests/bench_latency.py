"""Publish to receive on an idle stack, one message at a time, memory and durable, through the whole path.

Publisher and subscriber are two connections; the next message leaves when the last one arrived and a short gap passed.
"""

import asyncio
import secrets
import time

from loadtests.client import Connection, Pool, Tally, timed_payload
from loadtests.processes import peer
from loadtests.report import Report
from loadtests.stack import Stack

MESSAGES = 400
GAP_S = 0.01
ARRIVAL_S = 10.0


class NotDelivered(Exception):
    """A publication did not arrive."""


async def ping_pong(publisher: Connection, tally: Tally, channel: str, messages: int) -> None:
    """Publish `messages` one by one; latencies gather in `tally`."""
    tally.reset()
    for sent in range(1, messages + 1):
        publisher.publish(channel, timed_payload(100))
        deadline = time.monotonic() + ARRIVAL_S
        while tally.deliveries < sent:
            if time.monotonic() > deadline:
                raise NotDelivered(f"message {sent} on {channel}; errors {tally.errors[:3]}, closed {tally.closed}")
            await asyncio.sleep(0.0005)
        await asyncio.sleep(GAP_S)


async def run(stack: Stack, messages: int = MESSAGES) -> Report:
    """Measure both kinds of namespace and the plain peer."""
    await stack.check()
    report = Report("latency")
    account = await stack.account()
    for kind, namespace, p50_goal in (("memory", "room", "≤ 6"), ("durable", "ledger", "≤ 7")):
        channel = f"{namespace}:bench-{secrets.token_hex(4)}"
        receiving, publishing = Pool(stack.websocket_url), Pool(stack.websocket_url)
        try:
            token = await stack.connection_token(account)
            await receiving.open(1, token=token, channels=[channel])
            # Subscribed as well, because these namespaces let only subscribers publish; its own tally is not read.
            [publisher] = await publishing.open(1, token=token, channels=[channel])
            await ping_pong(publisher, receiving.tally, channel, messages)
            report.latency(f"mobula, {kind}:", receiving.tally.latencies_us, p50_goal=p50_goal, p99_goal="≤ 25")
        finally:
            receiving.close()
            publishing.close()
    async with peer("loadtests.peers.broadcast") as (_, port):
        pool = Pool(f"ws://127.0.0.1:{port}/connection/websocket")
        try:
            [publisher] = await pool.open(1, channels=["room:bench"])
            await ping_pong(publisher, pool.tally, "room:bench", messages)
            report.latency("plain uvicorn, one process, no proxy:", pool.tally.latencies_us)
        finally:
            pool.close()
    report.notes.append(f"{messages} messages, one at a time, {GAP_S * 1000:.0f} ms apart")
    return report
