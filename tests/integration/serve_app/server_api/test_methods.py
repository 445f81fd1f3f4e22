"""The unmodified server SDK for Python (`cent`), over HTTP, against the server API."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator

import cent
import pytest
import uvicorn
from cent import exceptions
from sqlalchemy import select

from actors.brokers.contract import BrokerError
from db.sessions.models import TokenRevocation
from tests.fixtures.client import Api
from tests.fixtures.hub import World, settle
from tests.fixtures.waiting import eventually


@pytest.fixture
async def world(api: Api) -> World:
    world = World()
    api.resources.actors.brokers, api.resources.actors.sessions = world.brokers, world.sessions
    return world


@pytest.fixture
async def address(api: Api, world: World) -> AsyncIterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(api.app, lifespan="off", log_config=None, access_log=False))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.get_running_loop().create_task(server._serve([listener]))
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    server.should_exit = True
    await task
    listener.close()


@pytest.fixture
async def sdk(address: str) -> AsyncIterator[cent.AsyncClient]:
    client = cent.AsyncClient(address, "a server key of tests")
    yield client
    await client.close()


async def test_it_publishes_and_reads(world: World, sdk: cent.AsyncClient) -> None:
    published = await sdk.publish(
        cent.PublishRequest(channel="room:1", data={"a": 1}, tags={"k": "v"}, idempotency_key="once")
    )
    assert (published.offset, published.epoch) == (1, "epoch")
    spread = await sdk.broadcast(cent.BroadcastRequest(channels=["room:1", "room:2"], data={"a": 2}))
    assert [response.error for response in spread.responses] == [None, None]
    assert spread.responses[0].result is not None
    assert spread.responses[0].result.offset == 2
    history = await sdk.history(
        cent.HistoryRequest(channel="room:1", limit=10, since=cent.StreamPosition(offset=1, epoch="epoch"))
    )
    assert [publication.data for publication in history.publications] == [{"a": 2}]
    assert (history.offset, history.epoch) == (2, "epoch")
    await sdk.history_remove(cent.HistoryRemoveRequest(channel="room:1"))
    assert (await sdk.history(cent.HistoryRequest(channel="room:1", limit=10))).publications == []


async def test_it_sees_who_is_there(world: World, sdk: cent.AsyncClient) -> None:
    client = await world.subscribed("room:1", "u1")
    presence = await sdk.presence(cent.PresenceRequest(channel="room:1"))
    assert presence.presence[client.peer.connection.client].user == "u1"
    stats = await sdk.presence_stats(cent.PresenceStatsRequest(channel="room:1"))
    assert (stats.num_clients, stats.num_users) == (1, 1)
    channels = await sdk.channels(cent.ChannelsRequest(pattern="room:*"))
    assert channels.channels["room:1"].num_clients == 1
    (node,) = (await sdk.info(cent.InfoRequest())).nodes
    assert (node.num_clients, node.num_users, node.num_channels, node.num_subs) == (1, 1, 1, 1)
    assert node.process is not None
    found = await sdk.connections(cent.ConnectionsRequest(user="u1", expression=""))
    assert found.connections[client.peer.connection.client].user == "u1"


async def test_it_moves_users_about(world: World, sdk: cent.AsyncClient) -> None:
    client = await world.connected("u1")
    await sdk.subscribe(
        cent.SubscribeRequest(
            user="u1",
            channel="room:1",
            info={"seat": 1},
            data={"hello": 1},
            override=cent.ChannelOptionsOverride(presence=cent.BoolValue(value=True)),
        )
    )
    await settle()
    assert client.pushes[0]["subscribe"]["data"] == {"hello": 1}
    await sdk.unsubscribe(cent.UnsubscribeRequest(user="u1", channel="room:1"))
    await settle()
    assert client.pushes[-1]["unsubscribe"]["code"] == 2000
    await sdk.refresh(cent.RefreshRequest(user="u1", expire_at=5_000))
    assert client.peer.connection.expires_at == 5_000
    ending = cent.Disconnect(code=4001, reason="maintenance")
    await sdk.disconnect(cent.DisconnectRequest(user="u1", disconnect=ending))
    assert client.socket.closed == (4001, "maintenance")


async def test_it_tells_and_asks_when_users_were_active(
    world: World, sdk: cent.AsyncClient, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.resources.handlers, "database", api.database)
    await world.connected("here")
    users = ["here", "told-of", "unknown"]
    await sdk.update_user_status(cent.UpdateUserStatusRequest(users=["told-of"]))
    statuses = (await sdk.get_user_status(cent.GetUserStatusRequest(users=users))).statuses
    assert [status.user for status in statuses] == users
    assert [bool(status.active) for status in statuses] == [True, True, False]
    assert [bool(status.online) for status in statuses] == [True, False, False]
    await sdk.delete_user_status(cent.DeleteUserStatusRequest(users=["told-of"]))
    (forgotten,) = (await sdk.get_user_status(cent.GetUserStatusRequest(users=["told-of"]))).statuses
    assert forgotten.active == 0


async def test_it_revokes_tokens(world: World, sdk: cent.AsyncClient, api: Api) -> None:
    await sdk.revoke_token(cent.RevokeTokenRequest(uid="a token", expire_at=None))
    await sdk.invalidate_user_tokens(cent.InvalidateUserTokensRequest(user="somebody", channel="news"))
    async with api.database.transaction(read_only=True) as session:
        subjects = set((await session.scalars(select(TokenRevocation.subject))).all())
    assert {"a token", "somebody\nnews"} <= subjects
    assert "somebody" not in subjects


async def test_it_blocks_users(world: World, sdk: cent.AsyncClient, api: Api) -> None:
    await sdk.block_user(cent.BlockUserRequest(user="blocked", expire_at=None))
    await sdk.block_user(cent.BlockUserRequest(user="unblocked", expire_at=int(time.time()) + 60))
    await sdk.unblock_user(cent.UnblockUserRequest(user="unblocked"))
    async with api.database.transaction(read_only=True) as session:
        blocked = select(TokenRevocation.subject).where(TokenRevocation.kind == "block")
        assert {"blocked", "unblocked"} & set((await session.scalars(blocked)).all()) == {"blocked"}


async def test_it_sends_batches(world: World, sdk: cent.AsyncClient) -> None:
    for parallel in (False, True):
        answer = await sdk.batch(
            cent.BatchRequest(
                requests=[
                    cent.PublishRequest(channel="room:1", data={"a": 1}),
                    cent.PresenceStatsRequest(channel="room:1"),
                    cent.DisconnectRequest(user="nobody"),
                ],
                parallel=parallel,
            )
        )
        published, stats, _ = answer.replies
        assert isinstance(published, cent.PublishResult)
        assert isinstance(stats, cent.PresenceStatsResult)
        assert published.offset == 1 + parallel


async def test_it_understands_our_errors(world: World, sdk: cent.AsyncClient, address: str) -> None:
    world.brokers.fail_with = BrokerError(102, "unknown channel")
    with pytest.raises(exceptions.CentApiResponseError) as refused:
        await sdk.publish(cent.PublishRequest(channel="nowhere:1", data={}))
    assert refused.value.code == 102
    with pytest.raises(exceptions.CentApiResponseError) as lacking:
        await sdk.publish(cent.PublishRequest(channel="", data={}))
    assert lacking.value.code == 107
    stranger = cent.AsyncClient(address, "a wrong key")
    with pytest.raises(exceptions.CentUnauthorizedError):
        await stranger.info(cent.InfoRequest())
    await stranger.close()
