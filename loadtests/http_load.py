"""A bounded HTTP/1.1 load generator: keep-alive connections with one request in flight each.

An asyncio Protocol that reads status and Content-Length (or the last chunk) by bytes, because a full HTTP client would
spend more CPU per request than the server under test on the same two cores.
"""

import asyncio
import ssl
import time
from array import array
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

READ_TIMEOUT_S = 30.0


@dataclass
class HttpTally:
    """What one run got back."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies_us: "array[int]" = field(default_factory=lambda: array("I"))
    bytes: int = 0

    @property
    def requests(self) -> int:
        """All answers."""
        return sum(self.statuses.values())

    @property
    def failures(self) -> int:
        """Answers that are no success."""
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)


class ConnectionDropped(Exception):
    """The server closed a keep-alive connection in the middle of a run."""


class _Client(asyncio.Protocol):
    """One connection: sends the request again whenever its answer is complete, until told to stop."""

    def __init__(self, request: bytes, tally: HttpTally) -> None:
        self._request, self._tally = request, tally
        self._buffer = b""
        self._sent_ns = 0
        self._transport: asyncio.Transport | None = None
        self.stopping = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports implement the interface without inheriting it.
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        self._sent_ns = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = _answer_end(buffer)
        if end == 0 or end > len(buffer):
            self._buffer = buffer
            return
        status = int(buffer[9:12])
        tally = self._tally
        tally.statuses[status] = tally.statuses.get(status, 0) + 1
        tally.latencies_us.append((time.monotonic_ns() - self._sent_ns) // 1000)
        tally.bytes += end
        self._buffer = buffer[end:]
        if self.stopping:
            assert self._transport is not None
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done.done():
            return
        if self.stopping:
            self.done.set_result(None)
        else:
            self.done.set_exception(ConnectionDropped(str(exc or "closed by the server")))


def _answer_end(buffer: bytes) -> int:
    """Where the first answer in `buffer` ends; 0 while its head (or its last chunk) has not arrived."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return 0
    head = buffer[:head_end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        line_end = head.find(b"\r\n", at + 2)
        return head_end + 4 + int(head[at + 17 : line_end if line_end >= 0 else len(head)])
    if b"\r\ntransfer-encoding: chunked" in head:
        last = buffer.find(b"\r\n0\r\n\r\n", head_end + 2)
        return 0 if last < 0 else last + 7
    return head_end + 4


async def run(
    url: str, *, connections: int, duration_s: float, headers: dict[str, str] | None = None
) -> tuple[HttpTally, float]:
    """Ask `url` from `connections` keep-alive connections for `duration_s`. Returns the tally and the seconds taken."""
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError(f"not an HTTP address: {url!r}")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    tally = HttpTally()
    loop = asyncio.get_running_loop()
    port = parts.port or (443 if tls else 80)
    clients: list[_Client] = []
    started = time.monotonic()
    try:
        for _ in range(connections):
            _, client = await loop.create_connection(lambda: _Client(request, tally), parts.hostname, port, ssl=tls)
            clients.append(client)
        done, _ = await asyncio.wait(
            [client.done for client in clients], timeout=duration_s, return_when=asyncio.FIRST_EXCEPTION
        )
        for future in done:
            future.result()
    finally:
        for client in clients:
            client.stopping = True
    elapsed = time.monotonic() - started
    _, pending = await asyncio.wait([client.done for client in clients], timeout=READ_TIMEOUT_S)
    if pending:
        raise ConnectionDropped(f"{len(pending)} answers did not arrive within {READ_TIMEOUT_S} s")
    return tally, elapsed
