"""The load client against a small server of the `websockets` library that behaves as told."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from loadtests.client import ConnectionFailed, Pool, timed_payload
from tests.fixtures.waiting import eventually

Handler = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"ws://127.0.0.1:{port}/connection/websocket"


async def greet(socket: ServerConnection) -> list[dict[str, object]]:
    """Answer the first frame: connect and subscribes in one."""
    commands = [json.loads(line) for line in str(await socket.recv()).split("\n")]
    replies = [
        {"id": command["id"], **({"connect": {"client": "c"}} if "connect" in command else {"subscribe": {}})}
        for command in commands
    ]
    await socket.send("\n".join(json.dumps(reply) for reply in replies))
    return commands


def push(size: int = 100) -> str:
    return '{"push":{"channel":"room:x","pub":{"data":' + timed_payload(size).decode() + "}}}"


async def test_connects_and_subscribes_in_one_frame() -> None:
    seen = []

    async def handler(socket: ServerConnection) -> None:
        seen.extend(await greet(socket))
        await socket.wait_closed()

    async with server(handler) as url:
        pool = Pool(url)
        await pool.open(1, token="t", channels=["room:x", "room:y"])
        pool.close()
    assert seen == [
        {"id": 1, "connect": {"token": "t", "name": "load"}},
        {"id": 2, "subscribe": {"channel": "room:x"}},
        {"id": 3, "subscribe": {"channel": "room:y"}},
    ]


@pytest.mark.parametrize("size", [20, 300, 70_000])
async def test_counts_and_times_deliveries(size: int) -> None:
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.send(push(size))
        await socket.send(push(size) + "\n" + push(size))  # two publications in one frame
        await socket.wait_closed()

    async with server(handler) as url:
        pool = Pool(url)
        await pool.open(5, channels=["room:x"])
        await eventually(lambda: pool.tally.deliveries == 15)
        assert len(pool.tally.latencies_us) == 15
        assert max(pool.tally.latencies_us) < 10_000_000
        pool.close()


async def test_answers_protocol_pings() -> None:
    answers = []

    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.send("{}")
        answers.append(await socket.recv())
        await socket.wait_closed()

    async with server(handler) as url:
        pool = Pool(url)
        await pool.open(1)
        await eventually(lambda: answers == ["{}"])
        pool.close()


async def test_refused_command_fails_the_opening() -> None:
    async def handler(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send('{"id":1,"error":{"code":109,"message":"token expired"}}')
        await socket.wait_closed()

    async with server(handler) as url:
        pool = Pool(url)
        with pytest.raises(ConnectionFailed, match="109 token expired"):
            await pool.open(1)


async def test_close_code_is_counted() -> None:
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        await socket.close(3008, "slow")

    async with server(handler) as url:
        pool = Pool(url)
        await pool.open(3)
        await eventually(lambda: pool.tally.closed == {3008: 3})


async def test_http_refusal_fails_the_opening() -> None:
    async def refuse(_connection: object, _request: object) -> object:
        return listening_response

    from websockets.datastructures import Headers
    from websockets.http11 import Response

    listening_response = Response(503, "Service Unavailable", Headers())

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with serve(handler, "127.0.0.1", 0, process_request=refuse) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionFailed, match="503"):
            await Pool(f"ws://127.0.0.1:{port}/").open(1)


async def test_publish_and_its_reply() -> None:
    async def handler(socket: ServerConnection) -> None:
        await greet(socket)
        async for frame in socket:
            command = json.loads(frame)
            assert command["publish"]["channel"] == 'room:"quoted"'
            refused = command["publish"]["data"]["n"] == 2
            error = {"error": {"code": 103, "message": "permission denied"}}
            await socket.send(json.dumps({"id": command["id"], **(error if refused else {"publish": {}})}))

    async with server(handler) as url:
        pool = Pool(url)
        [connection] = await pool.open(1)
        assert (await connection.publish_acknowledged('room:"quoted"', b'{"n":1}'))["publish"] == {}
        assert (await connection.publish_acknowledged('room:"quoted"', b'{"n":2}'))["error"]["code"] == 103
        connection.publish('room:"quoted"', b'{"n":2}')
        await eventually(lambda: pool.tally.errors == ["103 permission denied"])
        pool.close()


@pytest.mark.parametrize("url", ["http://localhost/", "localhost:8000", ""])
def test_only_websocket_addresses(url: str) -> None:
    with pytest.raises(ValueError, match="not a WebSocket address"):
        Pool(url)
