"""Hub and broker shard die together, with the queue owner: each leave is reported exactly once all the same."""

import secrets
import time
from typing import Any

import asyncpg
import psutil

from serve_app.security.tokens import TokenIssuer
from tests.fixtures.faults import replicas
from tests.fixtures.sdk import SDKS, Sdk
from tests.fixtures.shards import host_report
from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually

PEOPLE = 8
LIMIT_S = 120.0
"""The lease is 15 s; the queue owner and the agents have to come back too, on a busy machine."""

DELIVERED = """
SELECT event_type, payload ->> 'client' AS client, count(*) AS times, count(DISTINCT payload ->> 'id') AS ids
FROM app.events WHERE payload ->> 'channel' = $1 OR payload ->> 'client' = ANY ($2) GROUP BY 1, 2
"""
BEHIND = """
SELECT EXISTS (SELECT 1 FROM app.session_events e, app.session_event_handlers h WHERE e.position > h.position)
"""


async def somebody(stack: RunningStack, port: int, user: str, channel: str) -> Sdk:
    """A person with the official SDK, on the replica at this port."""

    async def token() -> str:
        return TokenIssuer.from_settings(stack.settings).connection(
            subject=user, session_id=f"session-of-{user}", info={"name": user}, expire_at=None
        )

    sdk = SDKS["python"]()
    await sdk.connect(f"ws://127.0.0.1:{port}/connection/websocket", token)
    await sdk.subscribe(channel)
    return sdk


async def test_when_replica_and_shard_host_die_together_each_leave_is_delivered_exactly_once(
    stack: RunningStack,
) -> None:
    stack.connect_ray()
    channel = f"desk:{secrets.token_hex(6)}"
    (safe, _), (doomed, victim), *_ = sorted(replicas(stack, "realtime").items())
    names = [f"person-{number}-{secrets.token_hex(3)}" for number in range(PEOPLE)]
    watcher = await somebody(stack, safe, "watcher", channel)
    people = [await somebody(stack, doomed, name, channel) for name in names]
    connection = await asyncpg.connect(stack.database_url)
    try:
        rows = await eventually(lambda: on_roster(connection, channel, PEOPLE + 1), LIMIT_S)
        clients = {row["client"] for row in rows if row["user_id"] in names}
        assert len(clients) == PEOPLE

        async def delivered(kind: str) -> Any:
            found = await connection.fetch(DELIVERED, channel, list(clients))
            who = {row["client"] for row in found if row["event_type"] == f"session.{kind}"}
            return found if clients <= who else None

        await eventually(lambda: delivered("connected"), LIMIT_S)
        before = await host_report()
        started = time.monotonic()
        victim.kill()
        psutil.Process(before.pid).kill()
        await eventually(lambda: delivered("disconnected"), LIMIT_S)
        print(f"every leave delivered after {time.monotonic() - started:.1f} s")
        await eventually(lambda: left_by_all(watcher, channel, names), LIMIT_S)
        await eventually(lambda: caught_up(connection), LIMIT_S)
        for row in await connection.fetch(DELIVERED, channel, list(clients)):
            assert row["times"] == row["ids"], row
            if row["client"] in clients:
                assert row["times"] == 1, row
        kinds = {row["event_type"] for row in await connection.fetch(DELIVERED, channel, list(clients))}
        assert kinds >= {f"session.{kind}" for kind in ("occupied", "subscribed", "unsubscribed", "disconnected")}
        assert "session.vacated" not in kinds, "the watcher is still there"
        told = [user for user in watcher.seen.leaves[channel] if user in names]
        assert sorted(told) == sorted(names), "a leave was told twice or not at all"
    finally:
        await connection.close()
        for sdk in (watcher, *people):
            await sdk.close()


async def on_roster(connection: Any, channel: str, size: int) -> Any:
    rows = await connection.fetch("SELECT client, user_id FROM app.session_roster WHERE channel = $1", channel)
    return rows if len(rows) == size else None


async def caught_up(connection: Any) -> bool:
    return not await connection.fetchval(BEHIND)


async def left_by_all(watcher: Sdk, channel: str, names: list[str]) -> bool:
    return set(names) <= set(watcher.seen.leaves.get(channel, []))
