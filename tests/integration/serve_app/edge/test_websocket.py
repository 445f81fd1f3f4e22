"""Real sockets against uvicorn as the edge configures it; the shards are fakes that keep the contracts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from actors.brokers.contract import PublishRequest
from actors.protocol.codec import MAX_FRAME_BYTES
from serve_app.edge.websocket import MAX_FRAGMENTS, TransportProtocol
from serve_app.realtime.application import RealtimeApplication
from serve_app.realtime.environment import Limits
from serve_app.realtime.flushing import QUEUE_BYTES
from serve_app.realtime.hub import Hub
from tests.fixtures.realtime_server import FakeBackends, RealtimeServer, realtime_settings, serve_realtime
from tests.fixtures.waiting import eventually


class World:
    def __init__(self, server: RealtimeServer, backends: FakeBackends) -> None:
        self.server = server
        self.backends = backends

    @property
    def hub(self) -> Hub:
        hub = self.server.application.hub
        assert hub is not None
        return hub

    async def connected(self, user: str = "u1", **options: Any) -> ClientConnection:
        client = await connect(self.server.url, compression=None, **options)
        await client.send(json.dumps({"id": 1, "connect": {"token": self.server.token(user)}}))
        reply = json.loads((await client.recv()).split("\n")[0])
        assert reply["connect"]["client"]
        return client

    async def publish(self, channel: str, data: object) -> None:
        await self.backends.brokers.publish(PublishRequest(channel, json.dumps(data).encode(), "id"))


@pytest.fixture(params=[True, False], ids=["direct", "asgi"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    marker = request.node.get_closest_marker("settings")
    settings = realtime_settings(tmp_path, max_connections=20, **(marker.kwargs if marker else {}))
    backends = FakeBackends(settings)
    application = RealtimeApplication(settings, backends.connect)
    async with serve_realtime(application, settings, direct=request.param) as server:
        yield World(server, backends)


async def closed(client: ClientConnection) -> tuple[int, str]:
    """The code and reason with which the server closes."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            async for _ in client:
                pass
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


async def messages(client: ClientConnection, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += [json.loads(line) for line in (await client.recv()).split("\n")]
    return found


def client_transport(world: World) -> object:
    (peer,) = world.hub.peers
    return peer.socket


async def test_a_socket_lives_from_connect_to_close(world: World) -> None:
    client = await world.connected()
    await client.send('{"id":2,"subscribe":{"channel":"dashboard:live"}}\n{"id":3,"rpc":{"method":"x"}}')
    replies = {message["id"]: message for message in await messages(client, 2)}
    assert "subscribe" in replies[2]
    assert replies[3]["error"]["code"] == 108
    await world.publish("dashboard:live", {"n": "ü" * 100})
    (push,) = await messages(client, 1)
    assert push["push"]["pub"]["data"] == {"n": "ü" * 100}
    await client.close()
    await eventually(lambda: world.hub.connections == 0)
    await eventually(lambda: not world.backends.brokers.streams["dashboard:live"].subscribers)
    assert world.backends.sessions.records == {}


async def test_messages_of_every_frame_length_arrive(world: World) -> None:
    client = await world.connected()
    await client.send('{"id":2,"subscribe":{"channel":"dashboard:live"}}')
    await messages(client, 1)
    for length in (1, 100, 200, 70_000):
        await world.publish("dashboard:live", "x" * length)
        (push,) = await messages(client, 1)
        assert len(push["push"]["pub"]["data"]) == length


async def test_an_invalid_token_is_a_close_frame_with_our_code(world: World) -> None:
    async with connect(world.server.url) as client:
        await client.send('{"id":1,"connect":{"token":"forged"}}')
        assert await closed(client) == (3500, "invalid token")


async def test_a_reason_that_is_too_long_is_cut_between_letters(world: World) -> None:
    client = await world.connected()
    (connected,) = list(world.backends.sessions.records)
    world.hub.on_disconnect([connected], 4001, "x" + "ü" * 90)
    assert await closed(client) == (4001, "x" + "ü" * 61)


@pytest.mark.parametrize("frame", ["nonsense", "", b"\xff\xfe", '{"id":1}'])
async def test_what_is_not_the_protocol_is_closed(world: World, frame: str | bytes) -> None:
    async with connect(world.server.url) as client:
        await client.send(frame)
        assert await closed(client) == (3501, "bad request")


async def test_text_that_is_not_utf_8_is_closed(world: World) -> None:
    client = await world.connected()
    await client.send(b'{"id":2,"rpc":{"method":"\xff"}}', text=True)
    assert (await closed(client))[0] in (3501, 1007)
    await eventually(lambda: world.hub.connections == 0)


async def test_a_frame_over_the_limit_never_reaches_memory(world: World) -> None:
    client = await world.connected()
    await client.send("x" * (MAX_FRAME_BYTES + 1))
    assert (await closed(client))[0] == 1009
    await eventually(lambda: world.hub.connections == 0)


async def test_fragments_are_one_message_and_native_pings_are_answered(world: World) -> None:
    client = await world.connected()
    await client.send(['{"id":2,"rpc":', '{"method":"x"}}'])
    assert (await messages(client, 1))[0]["id"] == 2
    await (await client.ping())


async def test_a_message_has_so_many_fragments_and_no_more(world: World) -> None:
    client = await world.connected()
    # The client adds the last frame, an empty one.
    fragments = ['{"id":2,"rpc":', *[""] * (MAX_FRAGMENTS - 3), '{"method":"x"}}']
    await client.send(fragments)
    assert (await messages(client, 1))[0]["id"] == 2
    if not isinstance(client_transport(world), TransportProtocol):
        # Another server's protocol, with bounds of its own.
        return
    with contextlib.suppress(ConnectionClosed):
        await client.send(["", *fragments])
    assert (await closed(client))[0] == 1009
    await eventually(lambda: world.hub.connections == 0)


class Pinged(ClientConnection):
    """Counts the ping frames that it answers."""

    pings = 0

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings += 1
        super().process_event(event)


async def test_native_pings_take_the_place_of_the_protocols(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    async with serve_realtime(RealtimeApplication(settings, backends.connect), settings) as server:
        hub = World(server, backends).hub
        hub.env.limits = Limits(ping_s=0.1, pong_s=0.05)  # type: ignore[arg-type]
        url = f"{server.url}?cf_ws_frame_ping_pong=true"
        async with connect(url, compression=None, ping_interval=None, create_connection=Pinged) as client:
            assert isinstance(client, Pinged)
            await client.send(json.dumps({"id": 1, "connect": {"token": server.token()}}))
            (reply,) = await messages(client, 1)
            assert "ping" not in reply["connect"]
            assert "pong" not in reply["connect"]
            # A pong that had not counted would have closed the connection before the next ping.
            await eventually(lambda: client.pings >= 3)
            assert hub.connections == 1
            await client.send('{"id":2,"rpc":{"method":"x"}}')
            (reply,) = await messages(client, 1)
            assert reply["id"] == 2


async def test_a_vanished_client_is_noticed(world: World) -> None:
    client = await world.connected()
    client.transport.abort()
    await eventually(lambda: world.hub.connections == 0)


async def test_a_client_that_does_not_read_is_closed_and_the_others_are_not(world: World) -> None:
    slow, fine = await world.connected("slow"), await world.connected("fine")
    for client in (slow, fine):
        await client.send('{"id":2,"subscribe":{"channel":"dashboard:live"}}')
        await messages(client, 1)
    slow.transport.pause_reading()
    got = 0
    for _ in range(200):
        await world.publish("dashboard:live", "x" * (QUEUE_BYTES // 10))
        got += len(await messages(fine, 1))
        if world.hub.connections == 1:
            break
    assert world.hub.connections == 1
    assert (got == len(world.backends.brokers.streams) and got) or got > 0
    await world.publish("dashboard:live", "last")
    assert (await messages(fine, 1))[0]["push"]["pub"]["data"] == "last"
    slow.transport.abort()


async def test_pages_of_other_origins_are_refused(world: World) -> None:
    for origin, allowed in (
        (f"http://127.0.0.1:{world.server.port}", True),
        ("http://localhost:3000", True),
        ("https://evil.example", False),
        ("null", False),
    ):
        if allowed:
            await (await connect(world.server.url, origin=origin)).close()  # type: ignore[arg-type]
        else:
            with pytest.raises(InvalidStatus) as refused:
                await connect(world.server.url, origin=origin)  # type: ignore[arg-type]
            assert refused.value.response.status_code == 403


async def test_a_full_process_says_so_before_the_handshake(world: World) -> None:
    clients = [await connect(world.server.url) for _ in range(20)]
    await eventually(lambda: world.hub.is_full)
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.server.url)
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"]
    assert json.loads(refused.value.response.body)["code"] == "connection_limit"
    await clients[0].close()
    await eventually(lambda: not world.hub.is_full)
    await (await connect(world.server.url)).close()
    for client in clients:
        await client.close()


OFFICE = {"X-Forwarded-For": "203.0.113.7"}


async def refusal(world: World, **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.server.url, **options)
    assert int(refused.value.response.headers["Retry-After"]) >= 1
    return refused.value.response.status_code, json.loads(refused.value.response.body)["code"]


@pytest.mark.settings(realtime_unauthenticated_per_address=2)
async def test_an_address_may_leave_so_many_sockets_unauthenticated(world: World) -> None:
    idle = [await connect(world.server.url, additional_headers=OFFICE) for _ in range(2)]
    await eventually(lambda: world.hub.unauthenticated("203.0.113.7") == 2)
    assert await refusal(world, additional_headers=OFFICE) == (429, "unauthenticated_per_address")
    await (await world.connected()).close()
    await idle[0].send(json.dumps({"id": 1, "connect": {"token": world.server.token("u1")}}))
    await idle[0].recv()
    await (await world.connected(additional_headers=OFFICE)).close()


@pytest.mark.settings(realtime_unauthenticated_per_address=2)
async def test_a_subscriber_s_64_bits_of_ipv6_are_one_address(world: World) -> None:
    idle = [
        await connect(world.server.url, additional_headers={"X-Forwarded-For": f"2001:db8::{number}"})
        for number in (1, 2)
    ]
    third = {"X-Forwarded-For": "2001:db8::3"}
    await eventually(lambda: world.hub.unauthenticated("2001:db8::3") == 2)
    assert await refusal(world, additional_headers=third) == (429, "unauthenticated_per_address")
    await (await connect(world.server.url, additional_headers={"X-Forwarded-For": "2001:db8:0:1::1"})).close()
    for client in idle:
        await client.close()
    await eventually(lambda: world.hub.unauthenticated("2001:db8::3") == 0)


@pytest.mark.settings(realtime_connect_rate=1)
async def test_a_storm_waits_its_turn_or_is_told_when_to_come_back(world: World) -> None:
    results = await asyncio.gather(*(connect(world.server.url) for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, InvalidStatus)]
    admitted = [result for result in results if isinstance(result, ClientConnection)]
    assert len(refused) + len(admitted) == 12
    assert 2 <= len(admitted) <= 7
    for reason in refused:
        assert reason.response.status_code == 503
        assert json.loads(reason.response.body)["code"] == "connect_rate"
        assert int(reason.response.headers["Retry-After"]) >= 4
    for client in admitted:
        await client.close()


@pytest.mark.settings(realtime_connect_rate_per_address=1)
async def test_one_address_that_connects_too_often_is_refused_and_others_are_not(world: World) -> None:
    for _ in range(11):
        await (await connect(world.server.url, additional_headers=OFFICE)).close()
    assert await refusal(world, additional_headers=OFFICE) == (429, "connect_rate_per_address")
    await (await connect(world.server.url, additional_headers={"X-Forwarded-For": "198.51.100.1"})).close()


@pytest.mark.settings(realtime_max_errors_per_minute=2)
async def test_a_client_that_only_fails_is_closed(world: World) -> None:
    client = await world.connected()
    for number in range(2, 6):
        await client.send(json.dumps({"id": number, "subscribe": {"channel": "nowhere:1"}}))
    assert await closed(client) == (3509, "too many errors")


async def test_compression_is_declined_and_compressed_frames_end_the_connection(world: World) -> None:
    client = await connect(world.server.url, compression="deflate")
    assert client.protocol.extensions == []
    # A final text frame with RSV1 set, as a compressing client would send it without being asked.
    client.transport.write(b"\xc1\x82" + bytes(4) + b"{}")
    assert (await closed(client))[0] == 1002


async def test_other_paths_are_not_found(world: World) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.server.url.replace("websocket", "nothing"))
    assert refused.value.response.status_code == 404


async def test_subprotocols_are_echoed_and_choose_the_encoding(world: World) -> None:
    async with connect(world.server.url, subprotocols=["centrifuge-json"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "centrifuge-json"
    async with connect(world.server.url, subprotocols=["centrifuge-protobuf"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "centrifuge-protobuf"
    async with connect(world.server.url) as client:
        assert client.subprotocol is None
    async with connect(world.server.url + "?cf_protocol=protobuf") as client:
        await client.send(b"\x00")
        assert await closed(client) == (3501, "bad request")


async def test_revocation_closes_within_a_second(world: World) -> None:
    client = await world.connected()
    await world.backends.sessions.revoke("u1")
    assert await asyncio.wait_for(closed(client), 1) == (3503, "force disconnect")


async def test_draining_refuses_newcomers_and_sends_everyone_elsewhere(world: World) -> None:
    clients = [await world.connected(f"u{number}") for number in range(5)]
    draining = asyncio.create_task(world.server.application.drain(0.2))
    assert [await closed(client) for client in clients] == [(3001, "shutdown")] * 5
    await draining
    with pytest.raises(InvalidStatus) as refused:
        await connect(world.server.url)
    assert refused.value.response.status_code == 503


async def test_adopted_sockets_need_no_task(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    async with serve_realtime(RealtimeApplication(settings, backends.connect), settings) as server:
        world = World(server, backends)
        clients = [await world.connected() for _ in range(10)]
        names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
        assert not [name for name in names if "run_asgi" in name or "RealtimeApplication" in name]
        for client in clients:
            await client.close()


async def test_the_end_of_the_server_sends_clients_elsewhere(tmp_path: Path) -> None:
    settings = realtime_settings(tmp_path)
    backends = FakeBackends(settings)
    async with serve_realtime(RealtimeApplication(settings, backends.connect), settings) as server:
        client = await World(server, backends).connected()
    assert (await closed(client))[0] == 3001
