"""The supervisor brings back what dies."""

import os
import signal

import asyncpg
import httpx
import pytest
import redis

from tests.fixtures.stack import RunningStack
from tests.fixtures.waiting import eventually


@pytest.mark.parametrize("service", ["postgres", "valkey"])
async def test_a_killed_service_is_restarted_and_the_application_recovers(stack: RunningStack, service: str) -> None:
    before = stack.status["services"][service]
    os.kill(before["pid"], signal.SIGKILL)

    def restarted() -> bool:
        now = stack.status["services"][service]
        return now["restarts"] == before["restarts"] + 1 and now["pid"] not in (None, before["pid"])

    await eventually(restarted, 60)
    if service == "postgres":
        connection = await asyncpg.connect(stack.database_url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    else:
        with redis.Redis.from_url(stack.redis_url) as client:
            assert client.ping()
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=10) as client:

        async def healthy() -> bool:
            return (await client.get("/health")).json()["status"] == "healthy"

        await eventually(healthy, 60, retry_on=(httpx.HTTPError, ValueError, KeyError))


async def test_the_haproxy_front_drops_what_clients_must_not_set(stack: RunningStack) -> None:
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=10) as client:
        # Serve would end this request after a millisecond, if the header reached it.
        answer = await client.get("/api/v1/products", headers={"x-request-timeout-seconds": "0.001"})
        assert answer.status_code == 200
