"""HTTP-streaming, SSE and emulation against uvicorn as the edge configures it; the shards are fakes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from centrifuge.protocol import client_pb2 as sdk

from actors.protocol.codec import MAX_FRAME_BYTES
from serve_app.edge import body as edge_body
from serve_app.realtime.application import RealtimeApplication
from tests.fixtures.http_stream import BINARY, StreamWorld, http_connection
from tests.fixtures.realtime_server import FakeBackends, realtime_settings, serve_realtime
from tests.fixtures.waiting import eventually

KINDS = ["json", "sse"]


@pytest.fixture(params=[True, False], ids=["direct", "asgi"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[StreamWorld]:
    settings = realtime_settings(tmp_path, max_connections=5, backend_cors_origins=["http://shop.test"])
    backends = FakeBackends(settings)
    async with serve_realtime(
        RealtimeApplication(settings, backends.connect), settings, direct=request.param
    ) as server:
        yield StreamWorld(server, backends)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_lives_from_connect_to_close(world: StreamWorld, kind: str) -> None:
    async with world.open(kind) as client:
        assert client.response.status_code == 200
        result = await client.connected()
        assert result["ping"] == 25
        assert result["pong"]
        await client.subscribed("dashboard:live")
        await world.publish("dashboard:live", {"n": "ü" * 40_000})
        (push,) = await client.messages(1)
        assert push["push"]["pub"]["data"] == {"n": "ü" * 40_000}
        (record,) = world.backends.sessions.records.values()
        assert record.transport.startswith("json/sse" if kind == "sse" else "json/http_stream")
    await eventually(lambda: world.hub.connections == 0)
    await eventually(lambda: not world.backends.brokers.streams["dashboard:live"].subscribers)
    assert world.backends.sessions.records == {}


async def test_protobuf_connects_posts_and_reads(world: StreamWorld) -> None:
    command = sdk.Command(id=1, connect=sdk.ConnectRequest(token=world.server.token("u1")))
    content = command.SerializeToString()
    first = bytes([len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    async with http_connection(world.base, first, "protobuf") as client:
        assert client.response.headers["content-type"] == BINARY
        reply = sdk.Reply.FromString((await client.messages(1))[0])
        assert reply.connect.client
        subscribe = sdk.Command(id=2, subscribe=sdk.SubscribeRequest(channel="dashboard:live")).SerializeToString()
        request = sdk.EmulationRequest(
            node=reply.connect.node, session=reply.connect.session, data=bytes([len(subscribe)]) + subscribe
        )
        answer = await client.http.post(
            f"{world.base}/emulation", content=request.SerializeToString(), headers={"Content-Type": BINARY}
        )
        assert answer.status_code == 204
        assert sdk.Reply.FromString((await client.messages(1))[0]).id == 2
        await world.publish("dashboard:live", {"n": 1})
        push = sdk.Reply.FromString((await client.messages(1))[0])
        assert json.loads(push.push.pub.data) == {"n": 1}


async def test_headers_keep_proxies_from_holding_replies_back(world: StreamWorld) -> None:
    for kind, media_type in (("json", "application/x-ndjson"), ("sse", "text/event-stream")):
        async with world.open(kind, headers={"Origin": "http://shop.test"}) as client:
            headers = client.response.headers
            assert headers["content-type"] == media_type
            assert headers["x-accel-buffering"] == "no"
            assert "private, no-cache, no-store, must-revalidate, max-age=0" in headers["cache-control"]
            assert headers["transfer-encoding"] == "chunked"
            assert headers["access-control-allow-origin"] == "http://shop.test"
            assert headers["access-control-allow-credentials"] == "true"
            assert headers["vary"] == "Origin"


async def test_an_event_source_is_told_at_once_that_it_is_open(world: StreamWorld) -> None:
    async with world.open("sse", get=True) as client:
        assert (await anext(client.chunks)).startswith(b"\r\n")
        client.rest = b""
        assert "connect" in (await client.messages(1))[0]


async def test_several_commands_in_one_request_and_several_messages_in_one_chunk(world: StreamWorld) -> None:
    async with world.open() as client:
        await client.connected()
        await client.post(
            {"id": 2, "subscribe": {"channel": "dashboard:live"}},
            {"id": 3, "rpc": {"method": "x"}},
            {"id": 4, "ping": {}},
        )
        replies = await client.messages(3)
        assert {reply["id"] for reply in replies} == {2, 3, 4}
        for number in range(3):
            await world.publish("dashboard:live", number)
        assert [push["push"]["pub"]["data"] for push in await client.messages(3)] == [0, 1, 2]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("frame", "code"), [(b'{"id":1,"connect":{"token":"forged"}}', 3500), (b"nonsense", 3501), (b'{"id":1}', 3501)]
)
async def test_the_server_says_why_and_ends_the_response(
    world: StreamWorld, kind: str, frame: bytes, code: int
) -> None:
    async with http_connection(world.base, frame, kind) as client:
        assert client.response.status_code == 200
        (push,) = await client.ended()
        assert push["push"]["disconnect"]["code"] == code
        assert push["push"]["disconnect"]["reason"]
    await eventually(lambda: world.hub.connections == 0)


async def test_an_expired_token_is_an_error_in_the_reply(world: StreamWorld) -> None:
    frame = json.dumps({"id": 1, "connect": {"token": world.server.token(expire_at=1)}}).encode()
    async with http_connection(world.base, frame) as client:
        assert (await client.messages(1))[0]["error"]["code"] == 109


@pytest.mark.parametrize("kind", KINDS)
async def test_revocation_ends_the_response_with_its_code(world: StreamWorld, kind: str) -> None:
    async with world.open(kind) as client:
        await client.connected()
        await world.backends.sessions.revoke("u1")
        (push,) = await asyncio.wait_for(client.ended(), 1)
        assert push["push"]["disconnect"] == {"code": 3503, "reason": "force disconnect"}
        # What the client had sent meanwhile is taken and means nothing: 404 would make it come back at once.
        assert (await client.post({"id": 9, "ping": {}})).status_code == 204


async def test_draining_ends_streams_and_refuses_newcomers(world: StreamWorld) -> None:
    async with world.open() as client, world.open("sse", "u2") as events:
        await client.connected()
        await events.connected()
        await world.server.application.drain(0.1)
        for one in (client, events):
            assert (await one.ended())[-1]["push"]["disconnect"]["code"] == 3001
    async with world.open() as late:
        assert late.response.status_code == 503
        assert late.response.headers["retry-after"]


async def test_what_is_wrong_with_a_request_is_said_in_its_status(world: StreamWorld) -> None:
    async with httpx.AsyncClient() as http:
        stream, events = f"{world.base}/http_stream", f"{world.base}/sse"
        for answer, status, code in (
            (await http.get(stream), 405, "method_not_allowed"),
            (await http.put(events), 405, "method_not_allowed"),
            (await http.post(stream), 400, "bad_request"),
            (await http.get(events), 400, "bad_request"),
            (await http.post(stream, content=b"x" * (MAX_FRAME_BYTES + 1)), 413, "content_too_large"),
            (await http.post(stream, content=_endless(MAX_FRAME_BYTES + 1)), 413, "content_too_large"),
            (await http.post(stream, content=b"{}", headers={"Origin": "http://evil.test"}), 403, "origin_not_allowed"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await http.get(stream)).headers["allow"] == "POST, OPTIONS"


async def _endless(size: int) -> AsyncIterator[bytes]:
    while size > 0:
        yield b"x" * 8192
        size -= 8192


async def test_a_body_that_does_not_come_is_given_up(world: StreamWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_body, "READ_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    writer.write(b"POST /connection/http_stream HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert b" 408 " in await reader.readline()
    writer.close()
    assert world.hub.connections == 0


async def test_a_full_process_says_so(world: StreamWorld) -> None:
    async with httpx.AsyncClient() as http:
        streams = [http.stream("POST", f"{world.base}/http_stream", content=world.first()) for _ in range(5)]
        for stream in streams:
            assert (await stream.__aenter__()).status_code == 200
        await eventually(lambda: world.hub.is_full)
        answer = await http.post(f"{world.base}/http_stream", content=world.first())
        assert (answer.status_code, answer.json()["code"]) == (503, "connection_limit")
        for stream in streams:
            await stream.__aexit__(None, None, None)


@pytest.mark.parametrize("path", ["http_stream", "sse", "emulation"])
async def test_pages_of_allowed_origins_may_ask(world: StreamWorld, path: str) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
        "Origin": "http://shop.test",
    }
    async with httpx.AsyncClient() as http:
        allowed = await http.options(f"{world.base}/{path}", headers=asked)
        assert (allowed.status_code, allowed.content) == (204, b"")
        assert allowed.headers["access-control-allow-origin"] == "http://shop.test"
        assert allowed.headers["access-control-allow-methods"].endswith("POST, OPTIONS")
        assert allowed.headers["access-control-allow-headers"] == "content-type"
        assert allowed.headers["access-control-max-age"] == "300"
        refused = await http.options(f"{world.base}/{path}", headers=asked | {"Origin": "http://evil.test"})
        assert "access-control-allow-origin" not in refused.headers


async def test_a_session_that_was_made_up_reaches_nobody(world: StreamWorld) -> None:
    async with world.open() as client:
        await client.connected()
        other = world.hub.env.session_ids.mint("another process")
        for fields in (
            {"session": "made up"},
            {"session": client.session[:-2] + "xx"},
            {"session": other},
            {"node": "another process"},
            {"session": world.hub.env.session_ids.mint(client.node)},
            {"session": other, "node": "another process"},
        ):
            answer = await client.post({"id": 5, "ping": {}}, **fields)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), fields
        for body in (b"", b"{}", b"nonsense", b'{"session":1}'):
            answer = await client.http.post(f"{world.base}/emulation", content=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        long = await client.http.post(f"{world.base}/emulation", content=b"x" * (MAX_FRAME_BYTES + 1))
        assert long.status_code == 413
        assert world.hub.connections == 1


async def test_repeated_and_late_requests_do_no_harm(world: StreamWorld) -> None:
    async with world.open() as client:
        await client.connected()
        for _ in range(2):
            assert (await client.post({})).status_code == 204  # a pong that nobody waits for
            await client.post({"id": 2, "subscribe": {"channel": "dashboard:live"}})
        await client.post({"id": 3, "unsubscribe": {"channel": "room:never"}})
        first, second, third = await client.messages(3)
        assert "subscribe" in first
        assert second["error"]["code"] == 105
        assert third == {"id": 3, "unsubscribe": {}}
        await world.publish("dashboard:live", 1)
        assert (await client.messages(1))[0]["push"]["pub"]["data"] == 1


async def test_bad_commands_in_a_request_end_the_session_that_sent_them(world: StreamWorld) -> None:
    async with world.open() as client, world.open(user="u2") as other:
        await client.connected()
        await other.connected()
        assert (await client.post(data="nonsense")).status_code == 204
        (push,) = await client.ended()
        assert push["push"]["disconnect"]["code"] == 3501
        await eventually(lambda: world.hub.connections == 1)
        await other.subscribed("dashboard:live")


async def test_a_lost_stream_is_unknown_at_once(world: StreamWorld) -> None:
    async with httpx.AsyncClient() as http:
        async with world.open() as client:
            await client.connected()
        await eventually(lambda: world.hub.connections == 0)
        client.http = http
        assert (await client.post({"id": 2, "ping": {}})).status_code == 404
