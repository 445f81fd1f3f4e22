"""Session shards in the real cluster: reaching and ending connections, also after kill -9."""

import asyncio
import time
from contextlib import AsyncExitStack
from uuid import uuid4

import asyncpg

from actors.sessions import handle
from actors.sessions.client import SessionsUnreachable
from actors.sessions.contract import SessionRecord
from tests.fixtures.raw_clients import own_token, raw_client, replicas, server_api
from tests.fixtures.shards import kill_host
from tests.fixtures.waiting import eventually


class Hub:
    def __init__(self) -> None:
        self.boot = f"hub-{uuid4()}"
        self.closed: list[tuple[str, int]] = []
        self.sent: list[bytes] = []
        self.client = handle.connect(self.boot, self)

    def on_disconnect(self, clients, code, reason):
        self.closed += [(client, code) for client in clients]

    def on_send(self, clients, data):
        self.sent.append(data)

    async def register(self, client, user, session):
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        record = SessionRecord(client, user, session, self.boot, "websocket", 1)
        self.client.register(record, lambda accepted: answer.done() or answer.set_result(accepted))
        return await answer


async def account(url):
    connection = await asyncpg.connect(url)
    try:
        name = uuid4().hex
        user = await connection.fetchval(
            "INSERT INTO auth.users (email, username, password_hash) "
            "VALUES ($1 || '@example.com', $1, 'x') RETURNING id",
            name,
        )
        session = await connection.fetchval(
            "INSERT INTO auth.sessions (user_id, absolute_expires_at) "
            "VALUES ($1, now() + interval '1 day') RETURNING id",
            user,
        )
        return str(user), str(session)
    finally:
        await connection.close()


async def revoke_in_database(url, session):
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE auth.sessions SET revoked_at = now() WHERE id = $1::uuid", session)
    await connection.close()


async def test_any_process_reaches_and_ends_a_users_connections(stack):
    stack.connect_ray()
    hub, api = Hub(), handle.connect(f"api-{uuid4()}")
    await hub.client.start()
    await api.start()
    try:
        user, session = await account(stack.database_url)
        assert await hub.register("c1", user, session)
        assert [record.client for record in await api.connections(user)] == ["c1"]
        assert await api.send_to_user(user, b"{}") == 1
        await eventually(lambda: hub.sent == [b"{}"])
        started = time.monotonic()
        assert await api.revoke(user, session=session) == 1
        await eventually(lambda: hub.closed == [("c1", 3503)], every_s=0.005)
        assert time.monotonic() - started < 1.0
        assert not await hub.register("c2", user, session)
    finally:
        await hub.client.stop()
        await api.stop()


async def test_a_restarted_shard_knows_everybody_again_and_forgets_no_revocation(stack):
    stack.connect_ray()
    hub = Hub()
    await hub.client.start()
    try:
        (lives, kept), (gone, revoked) = [await account(stack.database_url) for _ in range(2)]
        assert await hub.register("lives", lives, kept)
        assert await hub.register("gone", gone, revoked)
        await revoke_in_database(stack.database_url, revoked)
        await kill_host()
        await eventually(lambda: hub.closed == [("gone", 3503)], 60.0)
        records = await eventually(lambda: hub.client.connections(lives), 30.0, retry_on=(SessionsUnreachable,))
        assert [record.client for record in records] == ["lives"]
    finally:
        await hub.client.stop()


async def test_a_user_s_connections_are_counted_over_all_replicas(stack):
    limit = stack.settings.max_connections_per_user
    everywhere = await replicas(stack)
    async with AsyncExitStack() as opened:

        async def one_more(base):
            return await opened.enter_async_context(raw_client(base, token=own_token(stack, "many")))

        # All at once, so that each replica alone would still have room.
        clients = await asyncio.gather(*(one_more(everywhere[n % len(everywhere)]) for n in range(limit + 10)))
        assert sorted(client.code for client in clients if client.code is not None) == [3504] * 10
        assert (await one_more(everywhere[0])).code == 3504
        living = [client for client in clients if client.code is None]
        await disconnected(stack, living[0])
        for base in reversed(everywhere):
            again = await one_more(base)
            assert again.code == (None if base == everywhere[-1] else 3504)


async def disconnected(stack, client):
    assert await server_api(stack, "disconnect", user="many", client=client.id) == {"result": {}}
    assert await client.ended() == 3503
