"""Sockets on plain ASGI messages; for those that hand over their transport see tests/integration/serve_app/edge."""

import asyncio
from typing import Any

import pytest

from serve_app.edge.streaming import AsgiStream
from serve_app.edge.websocket import AsgiSocket
from serve_app.realtime.flushing import QUEUE_BYTES
from serve_app.realtime.wire import EVENTS_BODY, JSON_MESSAGES, PROTOBUF_MESSAGES, Wire


@pytest.mark.parametrize(
    ("kind", "wire"),
    [(AsgiSocket, JSON_MESSAGES), (AsgiSocket, PROTOBUF_MESSAGES), (AsgiStream, EVENTS_BODY)],
)
async def test_what_is_read_waits_no_more_in_whatever_script_it_is_written(kind: type[AsgiSocket], wire: Wire) -> None:
    sent: list[dict[str, Any]] = []
    slow: list[bool] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    socket = kind(wire, send, on_slow=lambda: slow.append(True))
    draining = asyncio.create_task(socket.drain())
    message = b'{"text":"' + "\u0436".encode() * 30_000 + b'"}'
    for number in range(3 * QUEUE_BYTES // len(message)):
        socket.write(message)
        while len(sent) <= number and not slow:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (socket.queued, slow) == (0, [])
    socket.close(3000, "enough")
    await draining
    assert len(sent) == 3 * QUEUE_BYTES // len(message) + 1


async def test_who_does_not_read_is_too_slow_by_the_bytes_that_wait() -> None:
    slow: list[bool] = []
    socket = AsgiSocket(JSON_MESSAGES, lambda message: None, on_slow=lambda: slow.append(True))
    message = "\u0436".encode() * (QUEUE_BYTES // 8)
    for _ in range(4):
        socket.write(message)
    assert (socket.queued, slow) == (QUEUE_BYTES, [])
    socket.write(b"x")
    assert slow == [True]
