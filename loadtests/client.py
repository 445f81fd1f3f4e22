"""Raw WebSocket clients of the Centrifugal protocol v2, cheap enough to hold thousands in one process.

A `Connection` is an asyncio Protocol: no task, no queue, no JSON parsing once it is subscribed. Publications are
recognised by bytes, and carry the time of their publishing (`{"t":<monotonic ns>,…}`), so that each delivery is counted
and timed on arrival. `Pool` opens, bounds and closes many of them.
"""

import asyncio
import json
import ssl
import time
from array import array
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from loadtests.ws_frames import CLOSE, PING, PONG, FrameReader, client_frame, upgrade_request

OPENING_AT_ONCE = 64
"""Handshakes in flight: more only lengthens every one of them on two cores."""
OPEN_TIMEOUT_S = 30.0
MAX_SAMPLES = 5_000_000
"""Latencies kept (20 MB); a run that makes more keeps the first ones and says so in `Tally.sampled_all`."""
TIME_FIELD = b'"t":'
PING_REPLY = b"{}"
MIDDLE_SIZED_TEXT = b"\x81\x7e"
"""First bytes of an unmasked, final text frame of 126 to 65,535 bytes."""
REPLY_HEAD = b'{"id":'


class ConnectionFailed(Exception):
    """The server refused or dropped a load client. `code` is the HTTP status or the WebSocket close code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Tally:
    """What all connections of a pool received."""

    def __init__(self) -> None:
        self.deliveries = 0
        self.bytes = 0
        self.latencies_us = array("I")
        self.closed: dict[int, int] = {}
        self.errors: list[str] = []

    @property
    def sampled_all(self) -> bool:
        """Whether every delivery's latency was kept."""
        return self.deliveries <= MAX_SAMPLES

    def reset(self) -> None:
        """Count from here on."""
        self.deliveries = 0
        self.bytes = 0
        self.latencies_us = array("I")


def timed_payload(size: int) -> bytes:
    """JSON data of about `size` bytes that carries the present time in its first field."""
    head = b'{"t":%d,"p":"' % time.monotonic_ns()
    return head + b"x" * max(0, size - len(head) - 2) + b'"}'


def publish_command(command_id: int, channel: str, data: bytes) -> bytes:
    """A publish command; `data` is JSON already."""
    return b'{"id":%d,"publish":{"channel":%s,"data":%s}}' % (command_id, json.dumps(channel).encode(), data)


class Connection(asyncio.Protocol):
    """One client: handshake, connect and subscribe in one frame, then count what arrives."""

    def __init__(self, tally: Tally, *, host: str, path: str, origin: str, token: str, channels: Sequence[str]) -> None:
        self._tally = tally
        self._host, self._path, self._origin = host, path, origin
        self._commands = [{"id": 1, "connect": {"token": token, "name": "load"} if token else {"name": "load"}}]
        self._commands += [{"id": n, "subscribe": {"channel": name}} for n, name in enumerate(channels, 2)]
        self._awaited = {command["id"] for command in self._commands}
        self._reader: FrameReader | None = None
        self._head = b""
        self._next_id = len(self._commands) + 1
        self._replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the opening handshake."""
        # uvloop's transports implement the interface without inheriting it.
        transport = cast(asyncio.Transport, transport)
        self.transport = transport
        headers = {"Origin": self._origin} if self._origin else {}
        transport.write(upgrade_request(self._host, self._path, headers))

    def data_received(self, data: bytes) -> None:
        """Handshake first, frames after."""
        if self._reader is None:
            self._head += data
            head, separator, rest = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            status = int(head.split(b" ", 2)[1])
            if status != 101:
                self._fail(status, head.split(b"\r\n", 1)[0].decode("latin-1"))
                return
            self._reader = FrameReader()
            self.send(b"\n".join(json.dumps(command).encode() for command in self._commands))
            data = rest
        # Most chunks are one middle-sized publication: cutting it out here halves what this process costs.
        if data[:2] == MIDDLE_SIZED_TEXT and len(data) > 4 and self._reader.is_empty:
            end = 4 + (data[2] << 8 | data[3])
            if end == len(data):
                self._text(data, 4, end)
                return
        try:
            for opcode, buffer, start, end in self._reader.feed(data):
                if opcode < CLOSE:
                    if end - start == 2:
                        self.send(PING_REPLY)
                    else:
                        self._text(buffer, start, end)
                elif opcode == PING:
                    self._write(client_frame(buffer[start:end], PONG))
                elif opcode == CLOSE:
                    code = int.from_bytes(buffer[start : start + 2], "big") if end - start >= 2 else 1005
                    self._fail(code, buffer[start + 2 : end].decode("utf-8", "replace"))
        except (ValueError, KeyError) as error:
            self._fail(0, f"unreadable: {error!r}")

    def _text(self, buffer: bytes, start: int, end: int) -> None:
        at = buffer.find(TIME_FIELD, start, end)
        if at >= 0:
            now = time.monotonic_ns()
            tally = self._tally
            tally.bytes += end - start
            while at >= 0:
                stop = buffer.find(b",", at, end)
                tally.deliveries += 1
                if tally.deliveries <= MAX_SAMPLES:
                    tally.latencies_us.append((now - int(buffer[at + 4 : stop])) // 1000)
                at = buffer.find(TIME_FIELD, stop, end)
            if not buffer.startswith(REPLY_HEAD, start):
                return
        for line in buffer[start:end].split(b"\n"):
            self._reply(json.loads(line))

    def _reply(self, reply: dict[str, Any]) -> None:
        command_id = reply.get("id", 0)
        if not command_id:
            if not reply:
                self.send(PING_REPLY)
            return
        error = reply.get("error")
        if command_id in self._awaited:
            if error:
                self._fail(error["code"], error["message"])
                return
            self._awaited.discard(command_id)
            if not self._awaited and not self.ready.done():
                self.ready.set_result(None)
        future = self._replies.pop(command_id, None)
        if future and not future.done():
            future.set_result(reply)
        elif error and future is None:
            self._tally.errors.append(f"{error['code']} {error['message']}")

    def _fail(self, code: int, message: str) -> None:
        if not self.closed:
            self._tally.closed[code] = self._tally.closed.get(code, 0) + 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionFailed(code, message))
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a loss that no close frame announced."""
        if not self.closed:
            self._fail(1006, str(exc or "connection lost"))
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ConnectionFailed(1006, "connection lost"))
        self._replies.clear()

    def _write(self, frame: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(frame)

    def send(self, payload: bytes) -> None:
        """Send one text frame."""
        self._write(client_frame(payload))

    def publish(self, channel: str, data: bytes) -> None:
        """Publish without waiting for the reply; an error reply goes to `Tally.errors`."""
        self.send(publish_command(self._next_id, channel, data))
        self._next_id += 1

    async def publish_acknowledged(self, channel: str, data: bytes) -> dict[str, Any]:
        """Publish and wait for the reply."""
        command_id = self._next_id
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[command_id] = future
        self.publish(channel, data)
        return await asyncio.wait_for(future, OPEN_TIMEOUT_S)

    def close(self) -> None:
        """Close without a closing handshake: nobody waits for thousands of them."""
        self.closed = True
        if self.transport is not None:
            self.transport.close()


class Pool:
    """Connections of one benchmark, opened with bounded concurrency and closed together."""

    def __init__(self, url: str, *, origin: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise ValueError(f"not a WebSocket address: {url!r}")
        self._tls = ssl.create_default_context() if parts.scheme == "wss" else None
        self._address = (parts.hostname, parts.port or (443 if self._tls else 80))
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._host = parts.netloc
        self._origin = origin
        self.tally = Tally()
        self.connections: list[Connection] = []

    async def open(self, count: int, *, token: str = "", channels: Sequence[str] = ()) -> list[Connection]:
        """Open `count` connections, subscribed to `channels`. Raises ConnectionFailed when one is refused."""
        gate = asyncio.Semaphore(OPENING_AT_ONCE)
        loop = asyncio.get_running_loop()

        def make() -> Connection:
            return Connection(
                self.tally, host=self._host, path=self._path, origin=self._origin, token=token, channels=channels
            )

        async def one() -> Connection:
            async with gate:
                _, connection = await loop.create_connection(make, *self._address, ssl=self._tls)
                self.connections.append(connection)
                await asyncio.wait_for(connection.ready, OPEN_TIMEOUT_S)
                return connection

        opened = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
        for result in opened:
            if isinstance(result, BaseException):
                raise result
        return [connection for connection in opened if isinstance(connection, Connection)]

    def close(self) -> None:
        """Close all."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()
