"""Redeploying `api` must not disturb one open WebSocket (DESIGN D8). The real cluster, through HAProxy."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from cluster.ray_runtime import generations
from loadtests.processes import find_replicas
from serve_app.edge.generations import MAX_GENERATIONS
from serve_app.security.tokens import TokenIssuer
from tests.fixtures.http_stream import HttpClient, http_connection
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

SOCKETS = 100


class Listener:
    """One socket, which answers pings and keeps what it hears."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Any] = []
        self.replies: dict[int, dict[str, Any]] = {}
        self.task = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, stack: RunningStack, user: str, channel: str) -> "Listener":
        token = TokenIssuer.from_settings(stack.settings).connection(
            subject=user, session_id=f"session-of-{user}", info={"name": user}, expire_at=None
        )
        listener = cls(await connect(stack.ws_url, compression=None, ping_interval=None))
        commands = ({"id": 1, "connect": {"token": token}}, {"id": 2, "subscribe": {"channel": channel}})
        await listener.socket.send("\n".join(map(json.dumps, commands)))
        await eventually(lambda: 2 in listener.replies, 30.0)
        assert "subscribe" in listener.replies[2], listener.replies
        return listener

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self.socket:
                for line in str(frame).split("\n"):
                    await self._hear(json.loads(line))

    async def _hear(self, message: dict[str, Any]) -> None:
        if message == {}:
            await self.socket.send("{}")
        elif "push" not in message:
            self.replies[message["id"]] = message
        elif "pub" in message["push"]:
            self.heard.append(message["push"]["pub"]["data"])


class StreamListener:
    """One connection over HTTP streaming, which answers pings and keeps what it hears."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self.heard: list[Any] = []
        self.code = 0
        """Why the server ended it."""
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while not self.code:
            (message,) = await self.client.messages(1, 300.0)
            if message == {}:
                await self.client.post({})
            push = message.get("push", {})
            self.code = push.get("disconnect", {}).get("code", 0)
            if "pub" in push:
                self.heard.append(push["pub"]["data"])


@asynccontextmanager
async def streaming(stack: RunningStack, channel: str) -> AsyncIterator[StreamListener]:
    """A subscriber over HTTP streaming."""
    token = TokenIssuer.from_settings(stack.settings).connection(
        subject="streamer", session_id="session-of-streamer", info={}, expire_at=None
    )
    frame = json.dumps({"id": 1, "connect": {"token": token}}).encode()
    async with http_connection(f"{stack.http_url}/connection", frame) as client:
        await client.connected()
        await client.subscribed(channel)
        listener = StreamListener(client)
        yield listener
        listener.task.cancel()
        await asyncio.gather(listener.task, return_exceptions=True)


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
        await eventually(lambda: all(listener.heard == ["before"] for listener in listeners))
        async with streaming(stack, channel) as stream:
            await asyncio.to_thread(stack.redeploy, "api")
            assert [listener for listener in listeners if listener.task.done()] == []
            await publish(stack, http, channel, "after")
            await eventually(lambda: all(listener.heard == ["before", "after"] for listener in listeners))
            await eventually(lambda: stream.heard == ["after"])
            assert not stream.task.done()
    assert [listener for listener in listeners if listener.task.done()] == []
    for listener in listeners:
        listener.task.cancel()
        await listener.socket.close()


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


async def test_redeploying_realtime_sends_sockets_elsewhere_with_a_code(stack: RunningStack) -> None:
    listeners = [await Listener.open(stack, f"mover-{number}", "room:move") for number in range(20)]
    async with streaming(stack, "room:move") as stream:
        await asyncio.to_thread(stack.redeploy, "realtime")
        await eventually(lambda: stream.code == 3001, 120.0)
    await eventually(lambda: all(listener.task.done() for listener in listeners), 120.0)
    assert {listener.socket.close_code for listener in listeners} == {3001}
    again = await Listener.open(stack, "mover-again", "room:move")
    again.task.cancel()
    await again.socket.close()


def listens(process: psutil.Process, ports: tuple[int, int]) -> bool:
    """Whether a replica still takes connections on its own port."""
    return any(
        connection.status == psutil.CONN_LISTEN and ports[0] <= connection.laddr.port <= ports[1]
        for connection in process.net_connections("tcp")
    )


async def test_a_request_that_outlives_the_drain_window_is_answered(stack: RunningStack) -> None:
    """Serve does not see requests that the edge answers: the replica ends after them all the same (DESIGN §5, 21)."""
    credentials = json.dumps({"email": "nobody@example.com", "password": "wrong-password", "mode": "bearer"}).encode()
    body = credentials + b" " * 500  # blanks after a JSON document mean nothing
    # Those that an earlier deployment replaced are gone.
    await eventually(lambda: len(find_replicas("api", stack.paths.home)) == stack.settings.api_replicas, 180.0)
    [replica] = find_replicas("api", stack.paths.home)
    reader, writer = await asyncio.open_connection("127.0.0.1", stack.ports.http)
    head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])
    sent = 10

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


async def test_old_haproxy_processes_are_bounded_and_their_sockets_sent_elsewhere(stack: RunningStack) -> None:
    """Each deployment leaves an HAProxy that lives for its sockets; beyond four the oldest is emptied (rule 19)."""
    records = generations.directory(stack.paths)
    listeners: list[Listener] = []
    pids: list[int] = []
    for number in range(MAX_GENERATIONS + 1):
        listeners.append(await Listener.open(stack, f"keeper-{number}", "room:generations"))
        pids.append(generations.living(records)[-1].pid)
        await asyncio.to_thread(stack.redeploy, "api")
    shown = await asyncio.to_thread(stack.run, "status")
    assert " old, kept for their sockets" in shown.stdout
    await eventually(lambda: listeners[0].task.done(), 180.0)
    assert listeners[0].socket.close_code == 3001
    # Without sockets it ends.
    await eventually(lambda: pids[0] not in {one.pid for one in generations.living(records)}, 60.0)
    assert not listeners[-1].task.done()
    again = await Listener.open(stack, "keeper-again", "room:generations")
    for listener in (*listeners, again):
        listener.task.cancel()
        await listener.socket.close()
