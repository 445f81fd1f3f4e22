"""The plain uvicorn fan-out: every publication is sent with one `await send(…)` per connection.

Speaks just enough of the protocol for `loadtests.client`, so that the very same client measures both. uvicorn with
uvloop, its sans-I/O WebSocket class and no compression: its best configuration, not its default.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson
import uvicorn

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class Broadcast:
    """One room for everybody."""

    def __init__(self) -> None:
        self._subscribers: set[Send] = set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one WebSocket."""
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                for line in (message.get("text") or "").split("\n"):
                    await self._command(orjson.loads(line), send)
        finally:
            self._subscribers.discard(send)

    async def _command(self, command: Message, send: Send) -> None:
        if "connect" in command:
            await _reply(send, {"id": command["id"], "connect": {"client": "peer", "version": "peer"}})
        elif "subscribe" in command:
            self._subscribers.add(send)
            await _reply(send, {"id": command["id"], "subscribe": {}})
        elif "publish" in command:
            request = command["publish"]
            push = {"push": {"channel": request["channel"], "pub": {"data": request["data"]}}}
            text = orjson.dumps(push).decode()
            for subscriber in list(self._subscribers):
                try:
                    await subscriber({"type": "websocket.send", "text": text})
                except (RuntimeError, OSError):
                    self._subscribers.discard(subscriber)
            await _reply(send, {"id": command["id"], "publish": {}})


async def _reply(send: Send, reply: Message) -> None:
    await send({"type": "websocket.send", "text": orjson.dumps(reply).decode()})


def main() -> None:
    """Listen until terminated."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    config = uvicorn.Config(
        Broadcast(),
        host="127.0.0.1",
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="off",
        log_level="warning",
    )
    asyncio.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()
