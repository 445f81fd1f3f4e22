"""A client that keeps its position and recovers, as the SDKs do, cheap enough for thousands in one process."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any, cast

from loadtests.ws_frames import CLOSE, PING, PONG, FrameReader, client_frame, upgrade_request

PAUSE_S = (0.1, 1.0)
"""A refused or lost attempt is repeated after a random time within these."""


class Subscriber:
    """One user's subscription to one channel over any number of sockets, one after the other."""

    def __init__(self, host: str, port: int, path: str, channel: str, on_change: Callable[[], None]) -> None:
        self.channel = channel
        self.token = ""
        self.epoch = ""
        self.offset = 0
        self.numbers: list[int] = []
        """Data of everything that arrived."""
        self.gaps = 0
        self.subscribed = False
        self.recoveries: list[bool] = []
        self.refusals: list[int] = []
        """HTTP statuses, close codes and error codes of attempts that failed."""
        self._address = (host, port)
        self._request = upgrade_request(f"{host}:{port}", path)
        self._on_change = on_change
        self._socket: _Socket | None = None
        self._random = random.Random(channel)

    async def connect(self) -> None:
        """Try until subscribed. The token must outlive the attempts."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, socket = await loop.create_connection(lambda: _Socket(self, self._request), *self._address)
                self._socket = socket
                await socket.ready
            except ConnectionError as error:
                self.refusals.append(error.args[0] if error.args and isinstance(error.args[0], int) else 0)
                await asyncio.sleep(self._random.uniform(*PAUSE_S))
            else:
                return

    def lose(self) -> None:
        """The socket is gone without a word."""
        self.subscribed = False
        if self._socket is not None and self._socket.transport is not None:
            self._socket.abandoned = True
            self._socket.transport.abort()

    def publish(self, data: int) -> None:
        """Publish without waiting for the reply."""
        if self._socket is not None:
            self._socket.send({"id": 3, "publish": {"channel": self.channel, "data": data}})

    def commands(self) -> list[dict[str, Any]]:
        """Connect and subscribe, from where it stopped."""
        subscribe: dict[str, Any] = {"channel": self.channel}
        if self.epoch:
            subscribe |= {"recover": True, "epoch": self.epoch, "offset": self.offset}
        return [{"id": 1, "connect": {"token": self.token, "name": "storm"}}, {"id": 2, "subscribe": subscribe}]

    def take(self, publication: dict[str, Any]) -> None:
        """A publication, live or recovered."""
        if publication["offset"] != self.offset + 1:
            self.gaps += 1
        self.offset = publication["offset"]
        self.numbers.append(publication["data"])

    def on_subscribed(self, result: dict[str, Any]) -> None:
        """The subscribe reply."""
        if result.get("was_recovering"):
            self.recoveries.append(bool(result.get("recovered")))
        if not result.get("recovered"):
            self.offset = result.get("offset", 0)
        self.epoch = result["epoch"]
        for publication in result.get("publications", ()):
            self.take(publication)
        self.subscribed = True

    def changed(self) -> None:
        """Something arrived."""
        self._on_change()


class _Socket(asyncio.Protocol):
    def __init__(self, subscriber: Subscriber, request: bytes) -> None:
        self.abandoned = False
        self.transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._subscriber = subscriber
        self._request = request
        self._reader: FrameReader | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def send(self, *commands: dict[str, Any]) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(client_frame("\n".join(map(json.dumps, commands)).encode()))

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._head += data
            head, separator, data = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            status = int(head.split(b" ", 2)[1])
            if status != 101:
                self._fail(status)
                return
            self._reader = FrameReader()
            self.send(*self._subscriber.commands())
        for opcode, buffer, start, end in self._reader.feed(data):
            if opcode == PING and self.transport is not None:
                self.transport.write(client_frame(buffer[start:end], PONG))
            elif opcode == CLOSE:
                self._fail(int.from_bytes(buffer[start : start + 2], "big"))
            elif opcode < CLOSE and not self.abandoned:
                for line in buffer[start:end].split(b"\n"):
                    self._hear(json.loads(line))

    def _hear(self, message: dict[str, Any]) -> None:
        if not message:
            self.send({})
        elif "error" in message:
            self._fail(message["error"]["code"])
        elif "subscribe" in message:
            self._subscriber.on_subscribed(message["subscribe"])
            if not self.ready.done():
                self.ready.set_result(None)
            self._subscriber.changed()
        elif publication := message.get("push", {}).get("pub"):
            self._subscriber.take(publication)
            self._subscriber.changed()

    def _fail(self, code: int) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(code))
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(1006))
