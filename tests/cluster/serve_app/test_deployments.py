"""Redeploying `api` must not disturb one open WebSocket (DESIGN D8). The real cluster, through HAProxy."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import httpx
import psutil

from loadtests.processes import find_replicas
from tests.fixtures.listeners import Listener
from tests.fixtures.raw_clients import TRANSPORTS, own_token, raw_client, replicas, server_api
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

SOCKETS = 100
EACH = 12
"""Clients over each transport that a deployment sends elsewhere."""


async def publish(stack: RunningStack, http: httpx.AsyncClient, channel: str, data: Any) -> None:
    answer = await http.post(
        f"{stack.http_url}/api/publish",
        json={"channel": channel, "data": data},
        headers={"X-API-Key": stack.server_api_key},
    )
    assert "result" in answer.json(), answer.text


async def test_redeploying_api_disturbs_no_open_socket(stack: RunningStack) -> None:
    channel = "room:redeploy"
    listeners = [await Listener.open(stack, f"user-{number}", channel) for number in range(SOCKETS)]
    async with httpx.AsyncClient(timeout=30) as http:
        await publish(stack, http, channel, "before")
        await Listener.all_heard(listeners, ["before"])
        base, token = f"{stack.http_url}/connection", own_token(stack, "streamer")
        async with raw_client(base, "http_stream", token=token) as stream:
            assert "subscribe" in await stream.ask("subscribe", channel=channel)
            await asyncio.to_thread(stack.redeploy, "api")
            assert [listener.ended for listener in listeners if listener.ended] == []
            await publish(stack, http, channel, "after")
            await Listener.all_heard(listeners, ["before", "after"])
            await eventually(lambda: stream.heard(channel) == ["after"])
            assert stream.code is None
    assert [listener.ended for listener in listeners if listener.ended] == []
    for listener in listeners:
        await listener.leave()


async def test_requests_during_a_redeploy_are_answered(stack: RunningStack) -> None:
    statuses: list[int] = []
    done = asyncio.Event()

    async def ask() -> None:
        async with httpx.AsyncClient(timeout=30) as http:
            while not done.is_set():
                statuses.append((await http.get(f"{stack.http_url}/health/live")).status_code)

    asking = asyncio.create_task(ask())
    await asyncio.to_thread(stack.redeploy, "api")
    done.set()
    await asking
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}


async def test_redeploying_realtime_sends_everybody_elsewhere_a_few_at_a_time(stack: RunningStack) -> None:
    """Sockets, streams and events alike, across the window: Serve's drain waits for them (DESIGN §5, 21)."""
    channel = "room:move"
    async with AsyncExitStack() as opened, httpx.AsyncClient(base_url=stack.http_url, timeout=30) as http:
        clients = [
            await opened.enter_async_context(
                raw_client(f"{stack.http_url}/connection", transport, token=own_token(stack, "mover"))
            )
            for transport in TRANSPORTS * EACH
        ]
        for client in clients:
            assert "subscribe" in await client.ask("subscribe", channel=channel)
        trace, before = await started_trace(stack, http, "mover-again")
        redeploying = asyncio.create_task(asyncio.to_thread(stack.redeploy, "realtime"))
        while any(client.code is None for client in clients):
            await publish(stack, http, channel, "on the way")
        await redeploying
        assert {client.code for client in clients} == {3001}
        for transport, members in ((kind, clients[at :: len(TRANSPORTS)]) for at, kind in enumerate(TRANSPORTS)):
            # How much each heard tells when it was closed.
            together = Counter(len(client.heard(channel)) for client in members).most_common(1)[0][1]
            assert together <= EACH // 2, f"{transport}: {together} of {EACH} were closed at once"

        # Whoever came in their place takes part in the trace that began before they were there.
        async def taken_over() -> bool:
            nodes = (await http.get(f"/api/v1/realtime/traces/{trace}")).json().get("nodes", [])
            return len(nodes) == stack.settings.realtime_replicas and not set(nodes) & before

        await eventually(taken_over, 120.0)
        for base in await replicas(stack):
            async with raw_client(base, token=own_token(stack, "mover-again")) as again:
                assert "subscribe" in await again.ask("subscribe", channel=channel)

        async def seen_by_all() -> bool:
            told = await server_api(stack, "history", channel=f"trace:{trace}", limit=300)
            return len({pub["data"]["node"] for pub in told["result"]["publications"] if "events" in pub["data"]}) >= 2

        await eventually(seen_by_all, 30.0)
        assert (await http.delete(f"/api/v1/realtime/traces/{trace}")).status_code == 204


async def started_trace(stack: RunningStack, http: httpx.AsyncClient, user: str) -> tuple[str, set[str]]:
    """Sign the client in as an administrator and trace a user: the trace's id, and the processes that take part."""
    admin = {"email": "admin@mobula.localhost", "password": stack.demo_password, "mode": "bearer"}
    session = (await http.post("/api/v1/auth/login", json=admin)).json()
    http.headers["Authorization"] = f"Bearer {session['access_token']}"
    answer = await http.post("/api/v1/realtime/traces", json={"user": user, "seconds": 900})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], set(answer.json()["nodes"])


def listens(process: psutil.Process, ports: tuple[int, int]) -> bool:
    """Whether a replica still takes connections on its own port."""
    return any(
        connection.status == psutil.CONN_LISTEN and ports[0] <= connection.laddr.port <= ports[1]
        for connection in process.net_connections("tcp")
    )


async def test_a_request_that_outlives_the_drain_window_is_answered(stack: RunningStack) -> None:
    """Serve does not see requests that the edge answers: the replica ends after them all the same (DESIGN §5, 21)."""
    credentials = json.dumps({"email": "nobody@example.com", "password": "wrong-password", "mode": "bearer"}).encode()
    # Blanks after a JSON document mean nothing; so many that have arrived earn the rest four minutes.
    body = credentials + b" " * 2_000_000
    # Those that an earlier deployment replaced are gone.
    await eventually(lambda: len(find_replicas("api", stack.paths.home)) == stack.settings.api_replicas, 180.0)
    [replica] = find_replicas("api", stack.paths.home)
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.ports.http)
    head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    sent = len(body) - 500
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:sent])

    def window_is_over() -> bool:
        """A slow client's body goes on; beyond the window the old replica takes nobody new."""
        nonlocal sent
        writer.write(body[sent : sent + 1])
        sent += 1
        return not listens(replica, stack.ports.replica_http)

    redeployed = asyncio.create_task(asyncio.to_thread(stack.redeploy, "api"))
    await eventually(window_is_over, 180.0, every_s=0.5)
    assert replica.is_running()
    assert not reader.at_eof()
    writer.write(body[sent:])
    async with asyncio.timeout(30):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 401"), answer[:200]
    writer.close()
    await redeployed
    await eventually(lambda: not replica.is_running(), 60.0)
