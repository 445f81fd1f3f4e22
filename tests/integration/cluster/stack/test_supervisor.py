"""`--fresh` on real servers, without the rest of the stack."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
import redis

from cluster.paths import Paths
from cluster.ray_runtime import processes
from cluster.stack.plan import Options, Plan, make
from cluster.stack.progress import Progress
from cluster.stack.supervisor import Stack

CLEAN = {"PATH": "/usr/bin:/bin"}


async def value(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def servers(plan: Plan) -> tuple[str, str]:
    """Start both; their addresses."""
    assert plan.postgres is not None
    assert plan.valkey is not None
    plan.postgres.start()
    plan.valkey.start()
    return plan.postgres.dsn, plan.valkey.dsn


def test_fresh_has_no_data_of_before_and_other_passwords_also_where_servers_were_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.stack.plan.DOTENV", tmp_path / "no.env")
    home = tmp_path / "home"
    before = make(Options(home=home), CLEAN)
    database, cache = servers(before)
    asyncio.run(value(database, "CREATE TABLE kept AS SELECT 42 AS answer"))
    with redis.Redis.from_url(cache) as client:
        client.set("kept", "42")

    fresh = make(Options(home=home, fresh=True), CLEAN)
    Stack(fresh, Progress())._wipe()  # ends what `before` has left running
    try:
        new_database, new_cache = servers(fresh)
        assert asyncio.run(value(new_database, "SELECT to_regclass('kept')")) is None
        with redis.Redis.from_url(new_cache) as client:
            assert client.get("kept") is None
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(value(database, "SELECT 1"))
        with redis.Redis.from_url(cache) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        # Whoever plans next has the passwords that the new data has.
        again = make(Options(home=home), CLEAN)
        assert (again.env["DATABASE_URL"], again.env["REDIS_URL"]) == (new_database, new_cache)
    finally:
        for service in (fresh.valkey, fresh.postgres):
            assert service is not None
            service.stop()
    assert processes.find(Paths(home)) == []
