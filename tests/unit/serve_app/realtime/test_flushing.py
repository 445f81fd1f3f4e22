from collections.abc import AsyncIterator

import pytest

from serve_app.realtime.flushing import LARGE_BYTES, QUEUE_BYTES
from tests.fixtures.hub import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.hub.stop()


async def test_replies_of_one_turn_leave_in_one_write(world: World) -> None:
    client = await world.connected()
    before = len(client.socket.payloads)
    await client.send({"id": 5, "rpc": {"method": "x"}}, {"id": 6, "rpc": {"method": "x"}})
    assert len(client.socket.payloads) == before + 1
    assert [message["id"] for message in client.socket.messages[-2:]] == [5, 6]


async def test_one_large_answer_does_not_count_as_unread(world: World) -> None:
    client = await world.connected()
    flusher, socket = world.hub._flusher, client.socket
    flusher.queue(client.peer, b"x" * (LARGE_BYTES + 1))
    flusher.flush()
    assert socket.expected == [LARGE_BYTES + 1]
    socket.queued = QUEUE_BYTES + 1
    flusher.queue(client.peer, b"{}")
    flusher.flush()
    assert socket.expected == [LARGE_BYTES + 1], "it is still unread"
    socket.queued = 0
    for _ in range(2):
        flusher.queue(client.peer, b"{}")
        flusher.flush()
    assert socket.expected == [LARGE_BYTES + 1, 0]
