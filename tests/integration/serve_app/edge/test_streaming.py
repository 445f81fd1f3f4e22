"""The transport of an adopted response: real sockets against uvicorn, the shards are fakes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serve_app.edge import streaming
from serve_app.edge.streaming import StreamProtocol
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.flushing import QUEUE_BYTES
from tests.fixtures.http_stream import StreamWorld
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.waiting import eventually

UPGRADE = (
    b"GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(params=[True, False], ids=["direct", "asgi"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[StreamWorld]:
    settings = realtime_settings(tmp_path, max_connections=5, backend_cors_origins=["http://shop.test"])
    backends = FakeBackends(settings)
    async with serve_realtime(
        RealtimeApplication(settings, backends.connect), settings, direct=request.param
    ) as server:
        yield StreamWorld(server, backends)


async def test_a_client_that_vanishes_is_noticed(world: StreamWorld) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    body = world.first()
    writer.write(
        b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    await eventually(lambda: world.backends.sessions.records)
    writer.transport.abort()
    await eventually(lambda: world.hub.connections == 0)
    assert world.backends.sessions.records == {}


async def test_what_is_still_to_come_of_an_answered_request_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "READ_S", 0.1)
    settings = realtime_settings(tmp_path)
    async with serve_realtime(RealtimeApplication(settings, FakeBackends(settings).connect), settings) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /connection/health HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert b"HTTP/1.1 " in await reader.readuntil(b"\r\n\r\n")

        rest = asyncio.create_task(reader.read())

        async def is_closed() -> bool:
            if not rest.done():
                writer.write(b"a")
            return rest.done()

        await eventually(is_closed, 4)
        await asyncio.gather(rest, return_exceptions=True)
        writer.close()


async def test_a_websocket_on_the_connection_of_an_answered_request_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HAProxy keeps connections and sends the next visitor's request over them, an upgrade too."""
    given_up: list[object] = []
    give_up = StreamProtocol._give_up

    def remembered(self: StreamProtocol, answered: object) -> None:
        give_up(self, answered)
        given_up.append(answered)

    monkeypatch.setattr(StreamProtocol, "_give_up", remembered)
    monkeypatch.setattr(streaming, "READ_S", 0.5)
    settings = realtime_settings(tmp_path)
    async with serve_realtime(RealtimeApplication(settings, FakeBackends(settings).connect), settings) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /connection/health HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(b"rest" + UPGRADE)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        assert not given_up
        await eventually(lambda: given_up)
        command = json.dumps({"id": 1, "connect": {"token": server.token("u1")}}).encode()
        writer.write(b"\x81\xfe" + len(command).to_bytes(2) + bytes(4) + command)  # masked by zeros
        assert b"connect" in await asyncio.wait_for(reader.read(4_096), 10)
        writer.close()


async def test_a_client_that_does_not_read_is_closed_and_the_others_are_not(world: StreamWorld) -> None:
    async with world.open(user="slow") as slow, world.open(user="fine") as fine:
        for client in (slow, fine):
            await client.connected()
            await client.subscribed("dashboard:live")
        for _ in range(200):
            await world.publish("dashboard:live", "x" * (QUEUE_BYTES // 10))
            await fine.messages(1)
            if world.hub.connections == 1:
                break
        assert world.hub.connections == 1
        await world.publish("dashboard:live", "last")
        assert (await fine.messages(1))[0]["push"]["pub"]["data"] == "last"


async def test_adopted_streams_need_no_task(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    async with serve_realtime(RealtimeApplication(settings, backends.connect), settings) as server:
        world = StreamWorld(server, backends)
        async with world.open() as client, world.open("sse") as events:
            await client.connected()
            await events.connected()
            names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
            assert not [name for name in names if "run_asgi" in name or "RealtimeApplication" in name]


async def test_the_end_of_the_server_sends_clients_elsewhere(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    async with serve_realtime(RealtimeApplication(settings, backends.connect), settings) as server:
        opened = StreamWorld(server, backends).open()
        client = await opened.__aenter__()
        await client.connected()
    assert (await client.ended())[-1]["push"]["disconnect"]["code"] == 3001
    await opened.__aexit__(None, None, None)
