"""The HTTP load generator against a raw server: bodies by length and by chunks, cut anywhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadtests import http_load

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nRetry-After: 1\r\n\r\n"


@asynccontextmanager
async def answering(answer: bytes, *, cut: int = 0, drop_after: int = 0) -> AsyncIterator[str]:
    requests = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                requests.append(await reader.readuntil(b"\r\n\r\n"))
                if drop_after and len(requests) >= drop_after:
                    break
                for at in range(0, len(answer), cut or len(answer)):
                    writer.write(answer[at : at + (cut or len(answer))])
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/path?x=1"
    assert all(request.startswith(b"GET /path?x=1 HTTP/1.1\r\n") for request in requests)


@pytest.mark.parametrize("answer", [LENGTH, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("cut", [0, 7])
async def test_counts_answers(answer: bytes, cut: int) -> None:
    async with answering(answer, cut=cut) as url:
        tally, elapsed = await http_load.run(url, connections=3, duration_s=0.1)
    assert tally.statuses.keys() == {200}
    assert tally.requests > 3
    assert tally.requests == len(tally.latencies_us)
    assert tally.bytes == tally.requests * len(answer)
    assert tally.failures == 0
    assert elapsed >= 0.1


async def test_refusals_are_failures() -> None:
    async with answering(REFUSED) as url:
        tally, _ = await http_load.run(url, connections=1, duration_s=0.05)
    assert tally.failures == tally.requests > 0


async def test_dropped_connection_is_an_error() -> None:
    async with answering(LENGTH, drop_after=3) as url:
        with pytest.raises(http_load.ConnectionDropped):
            await http_load.run(url, connections=1, duration_s=5)


async def test_only_http_addresses() -> None:
    with pytest.raises(ValueError, match="not an HTTP address"):
        await http_load.run("nowhere", connections=1, duration_s=1)
