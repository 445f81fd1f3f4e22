"""Live traces over HTTP."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from actors.brokers.contract import BrokerError
from actors.protocol.namespaces import Namespaces
from serve_app.realtime import tracing
from tests.fixtures.client import Api, assert_problem
from tests.fixtures.hub import World
from tests.fixtures.realtime import NAMESPACES
from tests.fixtures.waiting import eventually

TRACES = "/api/v1/realtime/traces"


@pytest.fixture
async def world(api: Api, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(tracing, "FLUSH_S", 0.0)
    world = World()
    world.brokers.namespaces = Namespaces.parse(
        NAMESPACES.replace("personal_channel_namespace: user", "")
        + "  trace:\n    history_size: 300\n    history_ttl: 15m\n"
    )
    api.resources.actors.sessions = world.sessions
    api.resources.actors.brokers = world.brokers
    return world


def published(world: World, channel: str) -> list[Any]:
    return [json.loads(publication.data) for publication in world.brokers.streams[channel].publications]


async def test_an_operator_traces_a_user_reads_along_and_stops(
    api: Api, world: World, operator_client: httpx.AsyncClient
) -> None:
    client = await world.connected("u1")
    started = await operator_client.post(TRACES, json={"user": "u1", "seconds": 30})
    assert started.status_code == 201, started.text
    trace = started.json()
    assert trace["nodes"] == ["hub-1"]
    assert started.headers["location"] == trace["_links"]["self"]["href"]
    await client.command("rpc", method="none")
    await eventually(lambda: len(published(world, trace["trace_channel"])) > 1)
    start, events = published(world, trace["trace_channel"])[:2]
    assert (start["type"], start["user"], start["seconds"]) == ("start", "u1", 30)
    assert events["events"][0]["frame"] == {"id": 2, "rpc": {"method": "none"}}

    (listed,) = (await operator_client.get(TRACES)).json()["items"]
    assert (listed["id"], listed["connections"]) == (trace["id"], 1)
    assert (await operator_client.get(trace["_links"]["self"]["href"])).json()["id"] == trace["id"]
    stop = trace["_links"]["stop"]
    assert (await operator_client.request(stop["method"], stop["href"])).status_code == 204
    assert_problem(await operator_client.delete(stop["href"]), 404, "trace_not_found")
    assert_problem(await operator_client.get(trace["_links"]["self"]["href"]), 404, "trace_not_found")
    async with api.database.transaction(read_only=True) as session:
        found = await session.execute(text("SELECT details FROM audit.entries WHERE action = 'realtime.trace_started'"))
        assert found.scalars().all() == [{"user": "u1", "seconds": 30, "frames": 1_000}]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user": "u1", "channel": "room:1"},
        {"user": ""},
        {"user": "u1", "seconds": 901},
        {"user": "u1", "frames": 0},
    ],
)
async def test_what_cannot_be_traced(world: World, operator_client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert_problem(await operator_client.post(TRACES, json=body), 422, "validation_failed")


async def test_traces_cannot_be_traced(world: World, operator_client: httpx.AsyncClient) -> None:
    assert_problem(await operator_client.post(TRACES, json={"channel": "trace:t"}), 422, "invalid_input")


async def test_there_is_a_bound(world: World, operator_client: httpx.AsyncClient) -> None:
    for _ in range(tracing.TRACES_MAX):
        assert (await operator_client.post(TRACES, json={"channel": "room:1"})).status_code == 201
    assert_problem(await operator_client.post(TRACES, json={"channel": "room:1"}), 409, "too_many_traces")


async def test_a_trace_that_could_not_be_read_is_not_started(
    api: Api, world: World, operator_client: httpx.AsyncClient
) -> None:
    world.brokers.fail_with = BrokerError(102, "unknown channel")
    assert_problem(await operator_client.post(TRACES, json={"user": "u1"}), 503, "unavailable")
    assert not world.hub._tracer.active
    world.brokers.fail_with = None
    world.sessions.sink = None
    assert_problem(await operator_client.post(TRACES, json={"user": "u1"}), 503, "unavailable")
    api.resources.actors.brokers = None
    assert_problem(await operator_client.post(TRACES, json={"user": "u1"}), 503, "unavailable")


async def test_who_may_only_read_may_not_trace(world: World, authenticated_client: httpx.AsyncClient) -> None:
    for call in (authenticated_client.get(TRACES), authenticated_client.post(TRACES, json={"user": "u1"})):
        assert_problem(await call, 403, "permission_denied")
