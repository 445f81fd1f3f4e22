from typing import Any

import pytest

from actors.metrics import registry
from serve_app.realtime.counts import COUNTS, Counts
from tests.fixtures.hub import Client, World, settle


def value(metric: Any, **labels: str) -> float:
    """What a metric shows now."""
    for family in metric.collect():
        for sample in family.samples:
            if sample.labels == labels and not sample.name.endswith("_created"):
                return float(sample.value)
    return 0.0


@pytest.fixture
async def world() -> World:
    COUNTS.publish()
    return World()


async def test_what_the_hub_does_is_counted(world: World) -> None:
    before = {kind: value(registry.REALTIME_MESSAGES_SENT, kind=kind) for kind in ("publication", "other")}
    frames = value(registry.REALTIME_FRAMES_RECEIVED)
    publications = value(registry.REALTIME_PUBLICATIONS)
    one = await world.subscribed("plain", "u1")
    two = await world.subscribed("plain", "u2")
    await world.publish("plain", 1)
    await world.publish("plain", 2, exclude_users=("u2",))
    assert (one.received, two.received) == ([1, 2], [1])
    COUNTS.publish()
    assert value(registry.REALTIME_FRAMES_RECEIVED) - frames == 4
    assert value(registry.REALTIME_PUBLICATIONS) - publications == 2
    assert value(registry.REALTIME_MESSAGES_SENT, kind="publication") - before["publication"] == 3
    assert value(registry.REALTIME_MESSAGES_SENT, kind="other") - before["other"] == 4, "two replies for each"
    COUNTS.publish()
    assert value(registry.REALTIME_FRAMES_RECEIVED) - frames == 4, "nothing is counted twice"


async def test_connections_are_counted_by_transport_and_ends_by_code(world: World) -> None:
    def open_now() -> float:
        COUNTS.publish()
        return value(registry.REALTIME_CONNECTIONS, transport="json/messages")

    def ended(code: str) -> float:
        return value(registry.REALTIME_DISCONNECTS, code=code)

    at_first, slow, left, own = open_now(), ended("3008"), ended("left"), ended("application")
    clients = [Client(world.hub) for _ in range(3)]
    assert open_now() - at_first == 3
    world.hub.lost(clients[0].peer)
    world.hub.lost(clients[0].peer)
    world.hub.on_disconnect([clients[1].peer.connection.client], 3008, "slow")
    world.hub.lost(clients[1].peer)
    world.hub.on_disconnect([clients[2].peer.connection.client], 4242, "closing time")
    await settle()
    assert open_now() == at_first
    assert (ended("left") - left, ended("3008") - slow, ended("application") - own) == (1, 1, 1)


async def test_recoveries_and_subscribe_times_are_counted(world: World) -> None:
    def outcomes() -> tuple[float, float]:
        recoveries = registry.REALTIME_RECOVERIES
        return value(recoveries, outcome="recovered"), value(recoveries, outcome="unrecovered")

    def subscribed() -> float:
        return next(
            sample.value
            for family in registry.REALTIME_SUBSCRIBE_DURATION.collect()
            for sample in family.samples
            if sample.name.endswith("_count")
        )

    good, bad, count = *outcomes(), subscribed()
    await world.publish("room:1", 1)
    await world.subscribed("room:1", "u1", recover=True, epoch="epoch", offset=0)
    await world.subscribed("room:1", "u2", recover=True, epoch="another", offset=0)
    await world.subscribed("room:1", "u3")
    assert (outcomes()[0] - good, outcomes()[1] - bad) == (1, 1)
    assert subscribed() - count == 3


def test_a_transport_nobody_uses_any_more_shows_zero() -> None:
    counts = Counts()
    counts.opened("test/transport")
    counts.publish()
    assert value(registry.REALTIME_CONNECTIONS, transport="test/transport") == 1
    counts.closed("test/transport")
    counts.publish()
    assert value(registry.REALTIME_CONNECTIONS, transport="test/transport") == 0


@pytest.mark.parametrize(
    ("reason", "code"),
    [(BrokenPipeError(), "3009"), (TimeoutError(), "3009"), (ConnectionResetError(), "left"), (None, "left")],
)
async def test_a_failed_write_is_the_cause_that_operators_see(
    world: World, reason: Exception | None, code: str
) -> None:
    before = value(registry.REALTIME_DISCONNECTS, code=code)
    client = await world.connected("u1")
    world.hub.lost(client.peer, reason)
    assert value(registry.REALTIME_DISCONNECTS, code=code) == before + 1
