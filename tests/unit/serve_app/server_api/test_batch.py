import asyncio
from typing import Any

import msgspec
import pytest

from actors.brokers.contract import BrokerError
from serve_app.server_api.batch import MAX_COMMANDS, decoder, run_batch
from serve_app.server_api.methods import METHODS
from serve_app.server_api.registry import Grant
from tests.fixtures.hub import World
from tests.fixtures.server_api import ServerApi


@pytest.fixture
async def world() -> World:
    return World()


async def batch(server: ServerApi, *commands: Any, parallel: bool = False) -> list[Any]:
    body = decoder.decode(msgspec.json.encode({"commands": commands, "parallel": parallel}))
    answer = await run_batch(server.context, METHODS, body)
    replies: list[Any] = msgspec.json.decode(msgspec.json.encode(answer))["replies"]
    return replies


@pytest.mark.parametrize("parallel", [False, True])
async def test_a_reply_per_command_in_order(world: World, parallel: bool) -> None:
    replies = await batch(
        ServerApi(world),
        {"publish": {"channel": "room:1", "data": 1}},
        {"nothing": {}},
        {"publish": {"channel": "room:1"}},
        {"publish": {"channel": 5, "data": 1}},
        {"presence_stats": {"channel": "room:1"}, "info": {}},
        {},
        {"disconnect": {"user": "u"}},
        parallel=parallel,
    )
    assert replies[0] == {"publish": {"offset": 1, "epoch": "epoch"}}
    assert [reply.get("error", {}).get("code") for reply in replies] == [None, 104, 107, 107, 107, 107, None]
    assert replies[6] == {"disconnect": {}}
    assert await batch(ServerApi(world)) == []


async def test_commands_run_one_after_another_unless_parallel(world: World) -> None:
    running: list[int] = []
    most = 0
    publish = world.brokers.publish

    async def slow(request: Any) -> Any:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        await asyncio.sleep(0)
        running.pop()
        return await publish(request)

    world.brokers.publish = slow  # type: ignore[method-assign]
    commands = [{"publish": {"channel": "room:1", "data": number}} for number in range(5)]
    await batch(ServerApi(world), *commands)
    assert most == 1
    await batch(ServerApi(world), *commands, parallel=True)
    assert most == 5


async def test_a_key_is_checked_for_every_command(world: World) -> None:
    limited = ServerApi(
        world,
        Grant(
            permissions=frozenset({"realtime:admin"}),
            methods=frozenset({"publish", "disconnect"}),
            namespaces=frozenset({"room"}),
        ),
    )
    replies = await batch(
        limited,
        {"publish": {"channel": "room:1", "data": 1}},
        {"publish": {"channel": "plain", "data": 1}},
        {"presence": {"channel": "room:1"}},
        {"disconnect": {"user": "u"}},
    )
    assert [reply.get("error", {}).get("code") for reply in replies] == [None, 103, 103, 103]


async def test_an_error_of_a_shard_is_the_reply_of_its_command(world: World) -> None:
    world.brokers.fail_with = BrokerError(111, "too many requests")
    replies = await batch(ServerApi(world), {"publish": {"channel": "room:1", "data": 1}}, {"channels": {}})
    assert replies == [{"error": {"code": 111, "message": "too many requests"}}, {"channels": {"channels": {}}}]


def test_a_batch_is_bounded() -> None:
    commands: list[Any] = [{"info": {}}] * (MAX_COMMANDS + 1)
    with pytest.raises(msgspec.ValidationError):
        decoder.decode(msgspec.json.encode({"commands": commands}))
