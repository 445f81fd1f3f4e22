"""Connections of an owner of something: nothing of them lasts, whatever becomes of the owner."""

import asyncio

import asyncpg
import pytest

from cluster.services.ports import free_port
from db.connection import connect


async def test_the_server_ends_what_takes_too_long(database_url):
    owned = await connect(database_url, "owner-of-a-test", statement_timeout_ms=50, answer_limit_s=5.0)
    assert await owned.fetchval("SELECT current_setting('application_name')") == "owner-of-a-test"
    with pytest.raises(asyncpg.QueryCanceledError):
        await owned.execute("SELECT pg_sleep(60)")
    assert await owned.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')") == "50ms"
    await owned.close()


async def test_our_own_deadline_ends_what_the_server_does_not(database_url):
    owned = await connect(database_url, "owner-of-a-test", statement_timeout_ms=60_000, answer_limit_s=0.5)
    with pytest.raises(asyncio.TimeoutError):
        await owned.execute("SELECT pg_sleep(60)")
    owned.terminate()


async def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(
            f"postgresql://nobody@127.0.0.1:{free_port()}/none", "x", statement_timeout_ms=1, answer_limit_s=1
        )
