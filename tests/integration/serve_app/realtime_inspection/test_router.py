"""What operators see of realtime processes, over HTTP."""

import httpx
import pytest
from sqlalchemy import text

from actors.sessions.contract import HubAnswers, SessionsUnreachable
from tests.fixtures.client import Api, assert_problem
from tests.fixtures.hub import World

ROOT = "/api/v1/realtime"


@pytest.fixture
async def world(api: Api) -> World:
    world = World()
    api.resources.actors.sessions = world.sessions
    return world


async def test_nodes_show_what_each_process_holds(world: World, operator_client: httpx.AsyncClient) -> None:
    await world.subscribed("room:1", "u1")
    world.sessions.one_is_silent = True
    answer = (await operator_client.get(f"{ROOT}/nodes")).json()
    (node,) = answer["items"]
    assert (node["node"], node["connections"], node["subscriptions"]) == ("hub-1", 1, 1)
    assert answer["silent"] == ["hub-2"]


async def test_connections_are_found_read_in_pages_and_closed(
    api: Api, world: World, operator_client: httpx.AsyncClient
) -> None:
    clients = [await world.subscribed("room:1", user) for user in ("u1", "u1", "u2")]
    listed = (await operator_client.get(f"{ROOT}/connections", params={"user": "u1", "limit": 1})).json()
    assert (listed["total"], len(listed["items"])) == (2, 1)
    rest = (
        await operator_client.get(
            f"{ROOT}/connections", params={"user": "u1", "channel": "room:1", "after": listed["next"]}
        )
    ).json()
    assert {item["user"] for item in (*listed["items"], *rest["items"])} == {"u1"}
    assert listed["items"][0]["client"] < rest["items"][0]["client"]
    assert rest["next"] is None

    link = listed["items"][0]["_links"]
    one = (await operator_client.get(link["self"]["href"])).json()
    assert [channel["channel"] for channel in one["channels"]] == ["room:1"]
    assert (await operator_client.delete(link["close"]["href"])).status_code == 204
    closed = next(client for client in clients if client.peer.connection.client == one["client"])
    assert closed.socket.closed == (3503, "force disconnect")
    assert_problem(await operator_client.delete(link["close"]["href"]), 404, "connection_not_found")
    assert_problem(await operator_client.get(link["self"]["href"]), 404, "connection_not_found")
    async with api.database.transaction(read_only=True) as session:
        entries = await session.execute(
            text("SELECT subject_id FROM audit.entries WHERE action = 'realtime.connection_closed'")
        )
        assert entries.scalars().all() == [one["client"]]

    endings = (await operator_client.get(f"{ROOT}/endings", params={"client": one["client"]})).json()
    assert [(ended["code"], ended["user"]) for ended in endings["items"]] == [(3503, "u1")]
    for frames in (one["frames"], endings["items"][0]["frames"]):
        assert [(event["kind"], list(event["frame"])) for event in frames] == [
            ("in", ["id", "subscribe"]), ("out", ["id", "subscribe"]),
        ]  # fmt: skip


@pytest.mark.parametrize("path", ["nodes", "connections", "connections/x", "endings"])
async def test_it_is_for_operators(
    path: str, world: World, client: httpx.AsyncClient, authenticated_client: httpx.AsyncClient
) -> None:
    assert_problem(await client.get(f"{ROOT}/{path}"), 401, "authentication_required")
    assert_problem(await authenticated_client.get(f"{ROOT}/{path}"), 403, "permission_denied")


async def test_reading_does_not_allow_closing(world: World, authenticated_client: httpx.AsyncClient) -> None:
    assert_problem(await authenticated_client.delete(f"{ROOT}/connections/x"), 403, "permission_denied")


async def test_unreachable_processes_are_unavailable(
    api: Api, world: World, operator_client: httpx.AsyncClient
) -> None:
    async def unreachable(question: bytes, *, hub: str = "") -> HubAnswers:
        raise SessionsUnreachable("the shard did not answer")

    world.sessions.ask_hubs = unreachable  # type: ignore[method-assign]
    assert_problem(await operator_client.get(f"{ROOT}/nodes"), 503, "unavailable")
    api.resources.actors.sessions = None
    assert_problem(await operator_client.get(f"{ROOT}/connections"), 503, "unavailable")


async def test_a_wrong_question_is_explained(world: World, operator_client: httpx.AsyncClient) -> None:
    for query in ({"limit": 0}, {"limit": 201}, {"nonsense": 1}, {"user": "x" * 256}):
        assert_problem(await operator_client.get(f"{ROOT}/connections", params=query), 422, "validation_failed")
