from collections.abc import AsyncIterator

import pytest

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
