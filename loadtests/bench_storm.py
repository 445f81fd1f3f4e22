"""Everybody loses the socket at once: how long until all are back with what they missed.

Each client has its own position and recovers it. What is published while nobody is connected must reach everybody, once
and in order. The clients come back at once, without the jitter of the SDKs: the worst case. Refused ones try again
after a random pause of up to a second.
"""

import asyncio
import secrets
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from loadtests.processes import CpuMeter
from loadtests.report import Report, percentile
from loadtests.stack import SOCKETS_PER_USER, Account, Stack
from loadtests.subscriber import Subscriber

CHANNELS = 20
BEFORE, MISSED, AFTER = 5, 5, 5
"""Publications in each channel: with everybody there, with nobody there, and after the storm."""
OPENING_AT_ONCE = 64
LIMIT_S = 60.0


class NotBack(Exception):
    """Somebody did not come back or did not hear everything in time."""


@dataclass
class Crowd:
    """All clients of a run."""

    members: list[Subscriber] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Something arrived somewhere."""
        self._changed.set()

    def lacking(self, behind: Sequence[Subscriber]) -> NotBack:
        """The error that says who is missing."""
        reasons = sorted({code for one in behind for code in one.refusals})
        return NotBack(f"{len(behind)} of {len(self.members)} clients; refused with {reasons}")

    async def until(self, last: int) -> None:
        """Wait until everybody is subscribed and has heard the publication `last`. Raises NotBack."""
        deadline = time.monotonic() + LIMIT_S
        behind = self.members
        while behind := [one for one in behind if not one.subscribed or last not in one.numbers[-AFTER:]]:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), deadline - time.monotonic())
            except TimeoutError:
                raise self.lacking(behind) from None
            await asyncio.sleep(0.01)  # look at everybody a hundred times a second, not at every message


async def reconnect(crowd: Crowd, at_once: int) -> "array[int]":
    """Connect everybody; returns how long each took, in microseconds."""
    gate = asyncio.Semaphore(at_once)
    took = array("I")

    async def one(member: Subscriber) -> None:
        async with gate:
            started = time.monotonic_ns()
            await member.connect()
            took.append((time.monotonic_ns() - started) // 1000)

    try:
        async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
            for member in crowd.members:
                group.create_task(one(member))
    except TimeoutError:
        raise crowd.lacking([member for member in crowd.members if not member.subscribed]) from None
    return took


def verify(crowd: Crowd, published: list[int]) -> tuple[int, int, int]:
    """(not recovered, missing, doubled or out of order)."""
    unrecovered = sum(not all(member.recoveries) for member in crowd.members)
    missing = sum(len(set(published) - set(member.numbers)) for member in crowd.members)
    wrong = sum(member.numbers != sorted(set(member.numbers)) or bool(member.gaps) for member in crowd.members)
    return unrecovered, missing, wrong


def publish(crowd: Crowd, publishers: list[Subscriber], numbers: range) -> None:
    """One publisher per channel."""
    for number in numbers:
        for publisher in publishers:
            publisher.publish(number)


async def run(stack: Stack, sockets: int = 2000, channels: int = CHANNELS) -> Report:
    """The storm. Raises NotBack."""
    await stack.check()
    report = Report("storm")
    servers, shards = stack.replicas("realtime"), stack.shard_hosts()
    tag = secrets.token_hex(4)
    crowd, publishers = Crowd(), Crowd()

    def subscriber(number: int, within: Crowd) -> Subscriber:
        channel = f"room:storm-{tag}-{number % channels}"
        made = Subscriber(stack.host, stack.port, "/connection/websocket", channel, within.wake)
        within.members.append(made)
        return made

    speakers = [subscriber(number, publishers) for number in range(channels)]
    for number in range(sockets):
        subscriber(number, crowd)
    try:
        accounts = [await stack.account() for _ in range(0, sockets, SOCKETS_PER_USER)]
        await give_tokens(stack, publishers, accounts)
        await give_tokens(stack, crowd, accounts)
        await reconnect(publishers, OPENING_AT_ONCE)
        await reconnect(crowd, OPENING_AT_ONCE)
        publish(crowd, speakers, range(BEFORE))
        await crowd.until(BEFORE - 1)
        await give_tokens(stack, crowd, accounts)

        for member in crowd.members:
            member.lose()
        publish(crowd, speakers, range(BEFORE, BEFORE + MISSED))
        await publishers.until(BEFORE + MISSED - 1)
        server, shard, client = (
            CpuMeter(servers).start(),
            CpuMeter(shards).start(),
            CpuMeter([psutil.Process()]).start(),
        )
        started = time.monotonic()
        took = await reconnect(crowd, sockets)
        await crowd.until(BEFORE + MISSED - 1)
        seconds = time.monotonic() - started
        server_s, shard_s, client_s = server.stop(), shard.stop(), client.stop()

        publish(crowd, speakers, range(BEFORE + MISSED, BEFORE + MISSED + AFTER))
        await crowd.until(BEFORE + MISSED + AFTER - 1)
    finally:
        for member in (*crowd.members, *publishers.members):
            member.lose()
    unrecovered, missing, wrong = verify(crowd, list(range(BEFORE + MISSED + AFTER)))
    refusals = [code for member in crowd.members for code in member.refusals]
    report.add("mobula: until everybody is back with everything", seconds, "s", "≤ 5")
    report.add("mobula: clients not recovered", unrecovered, "", "0")
    report.add("mobula: publications missing", missing, "", "0")
    report.add("mobula: clients with doubled or swapped publications", wrong, "", "0")
    report.add("mobula: reconnects", sockets / seconds, "per second")
    report.add("mobula: a client's reconnect p50", percentile(took, 0.5) / 1000, "ms")
    report.add("mobula: a client's reconnect p99", percentile(took, 0.99) / 1000, "ms")
    report.add("mobula: attempts refused", len(refusals), "")
    report.add("mobula: realtime CPU per reconnect", server_s / sockets * 1e6, "µs")
    report.add("mobula: shard host CPU per reconnect", shard_s / sockets * 1e6, "µs")
    report.add("mobula: load client CPU per reconnect", client_s / sockets * 1e6, "µs")
    report.notes.append(
        f"{sockets} sockets in {channels} channels over {len(servers)} replicas, all "
        f"reconnecting at once without jitter; {MISSED} publications per channel missed"
    )
    if refusals:
        report.notes.append(f"refused with {sorted(set(refusals))}")
    return report


async def give_tokens(stack: Stack, crowd: Crowd, accounts: Sequence[Account]) -> None:
    """Fresh tokens, one per user: they live a minute."""
    tokens = [await stack.connection_token(account) for account in accounts]
    for number, member in enumerate(crowd.members):
        member.token = tokens[number // SOCKETS_PER_USER]
