from collections.abc import AsyncIterator

import pytest

from serve_app.realtime.flushing import LARGE_BYTES, QUEUE_BYTES
from serve_app.realtime.peer import Peer
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


async def test_a_connection_that_cannot_be_written_to_keeps_nothing_from_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, whole = await world.connected(), await world.connected()
    flusher = world.hub._flusher

    def refuse(peer: Peer, _: list[bytes]) -> None:
        if peer is broken.peer:
            raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    monkeypatch.setattr(flusher, "_sent", refuse)
    before = len(whole.socket.payloads)
    for client in (broken, whole):
        flusher.queue(client.peer, b"{}")
    flusher.flush()
    flusher.queue(whole.peer, b"{}")
    flusher.flush()
    assert len(whole.socket.payloads) == before + 2
