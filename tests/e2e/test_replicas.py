"""Realtime replicas that are replaced or die under load, and the SDKs that were connected to them: unmodified, with
recovery, on a namespace in memory and on a durable one."""

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.custody import Publisher, caught_up, problems
from tests.fixtures.faults import kill_one
from tests.fixtures.people import Person
from tests.fixtures.sdk import SDKS, JavaScriptSdk, Sdk
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

CLIENTS_OF_EACH = 3
"""Enough that every replica carries some: the proxy deals new sockets out evenly."""

WARM_UP = 20
"""Publications before and after the fault."""


@pytest.fixture
def channels() -> list[str]:
    return [f"{namespace}:replicas-{secrets.token_hex(6)}" for namespace in ("room", "ledger")]


@pytest.fixture
async def subscribers(stack_page: RunningStack, ada: Person, channels: list[str]) -> AsyncIterator[list[Sdk]]:
    clients = [make() for make in SDKS.values() for _ in range(CLIENTS_OF_EACH)]
    endpoints = [stack_page.ws_url] * len(clients)
    for transport in ("http_stream", "sse"):
        clients.append(JavaScriptSdk(transport=transport))
        endpoints.append(f"{stack_page.http_url}/connection/{transport}")
    for client, endpoint in zip(clients, endpoints, strict=True):
        await client.connect(endpoint, ada.connection_token)
        for channel in channels:
            await client.subscribe(channel)
    yield clients
    for client in clients:
        await client.close()


async def nobody_lost_anything(publisher: Publisher, subscribers: list[Sdk]) -> None:
    for channel, acknowledged in publisher.acknowledged.items():
        for client in subscribers:
            await eventually(functools.partial(caught_up, client.seen, channel, acknowledged), 60)
            assert problems(client.seen, channel, acknowledged) == []
            assert client.seen.unsubscribed.get(channel, []) == []


def reconnects(client: Sdk, channel: str) -> int:
    """How often a subscription was established again."""
    return len(client.seen.subscribed[channel]) - 1


async def test_redeploying_realtime_under_load_loses_and_doubles_nothing(
    stack_page: RunningStack, channels: list[str], subscribers: list[Sdk]
) -> None:
    publisher = Publisher(stack_page, channels)
    async with publisher.running():
        await eventually(lambda: publisher.total >= WARM_UP, 60)
        await asyncio.to_thread(stack_page.redeploy, "realtime")
        await eventually(lambda: all(reconnects(client, channels[0]) >= 1 for client in subscribers), 120)
        after = publisher.total
        await eventually(lambda: publisher.total >= after + WARM_UP, 60)
    assert publisher.refused == []
    await nobody_lost_anything(publisher, subscribers)


async def test_killing_a_replica_under_load_loses_and_doubles_nothing(
    stack_page: RunningStack, channels: list[str], subscribers: list[Sdk]
) -> None:
    publisher = Publisher(stack_page, channels)
    async with publisher.running():
        await eventually(lambda: publisher.total >= WARM_UP, 60)
        kill_one(stack_page, "ServeReplica:realtime:")
        await eventually(lambda: any(reconnects(client, channels[0]) for client in subscribers), 60)
        after = publisher.total
        await eventually(lambda: publisher.total >= after + WARM_UP, 60)
    assert publisher.refused == []
    await nobody_lost_anything(publisher, subscribers)
    assert not all(reconnects(client, channels[0]) for client in subscribers), "the other replica's sockets live on"
