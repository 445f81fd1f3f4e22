"""Servers that somebody else runs, here two of our own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cluster.services.errors import ServiceError
from cluster.services.ports import free_port
from cluster.services.postgres import EmbeddedPostgres
from cluster.services.valkey import EmbeddedValkey
from cluster.stack import external


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("pg") / "data", password="x", max_connections=33)
    server.start()
    yield server
    server.stop()


# Without a running loop: the command calls these from a thread.
def test_a_server_says_what_it_allows(postgres: EmbeddedPostgres) -> None:
    found = external.check_postgres(postgres.dsn)
    assert found.max_connections == 33
    assert int(found.version.split(".")[0]) >= 15


def test_a_server_says_how_many_broker_shards_own_buckets(postgres: EmbeddedPostgres) -> None:
    assert external.check_postgres(postgres.dsn).broker_shards == 0, "nothing is migrated yet"

    async def migrate() -> None:
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute("CREATE SCHEMA app; CREATE TABLE app.stream_buckets (bucket int, shard int)")
        await connection.execute("INSERT INTO app.stream_buckets VALUES (1, 0), (2, 0), (3, 4)")
        await connection.close()

    asyncio.run(migrate())
    assert external.check_postgres(postgres.dsn).broker_shards == 2


def test_a_database_is_told_from_others_and_from_a_later_one_of_its_name(postgres: EmbeddedPostgres) -> None:
    async def run(*statements: str) -> None:
        connection = await asyncpg.connect(postgres.dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    other = postgres.dsn_of("other")
    asyncio.run(run("CREATE DATABASE other", "CREATE ROLE guest LOGIN PASSWORD 'g'"))
    first = external.check_postgres(other).identity
    assert first
    assert external.check_postgres(other.replace("mobula:x@", "guest:g@")).identity == first, "no right is needed"
    assert external.check_postgres(postgres.dsn).identity not in ("", first)
    asyncio.run(run("DROP DATABASE other", "CREATE DATABASE other"))
    assert external.check_postgres(other).identity not in ("", first)
    # As some hosts do; the answer is then none, and everything else is as before.
    asyncio.run(run("CREATE DATABASE closed"))

    async def close() -> None:
        connection = await asyncpg.connect(postgres.dsn_of("closed"))
        await connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        await connection.close()

    asyncio.run(close())
    found = external.check_postgres(postgres.dsn_of("closed").replace("mobula:x@", "guest:g@"))
    assert (found.identity, found.max_connections) == ("", 33)


def test_demo_accounts_are_found_where_they_can_sign_in(postgres: EmbeddedPostgres) -> None:
    async def run(statement: str) -> None:
        connection = await asyncpg.connect(postgres.dsn)
        await connection.execute(statement)
        await connection.close()

    assert not external.has_demo_accounts(postgres.dsn), "nothing is migrated yet"
    asyncio.run(run("CREATE SCHEMA auth; CREATE TABLE auth.users (email text, is_active bool, deleted_at timestamptz)"))
    assert not external.has_demo_accounts(postgres.dsn)
    asyncio.run(run("INSERT INTO auth.users VALUES ('someone@example.com', true)"))
    assert not external.has_demo_accounts(postgres.dsn)
    asyncio.run(run("INSERT INTO auth.users VALUES ('ada@mobula.localhost', false)"))
    assert not external.has_demo_accounts(postgres.dsn)
    asyncio.run(run("UPDATE auth.users SET is_active = true"))
    assert external.has_demo_accounts(postgres.dsn)
    assert not external.has_demo_accounts(f"postgresql://u:p@127.0.0.1:{free_port()}/d")


def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ServiceError, match="DATABASE_URL does not answer"):
        external.check_postgres(f"postgresql://u:p@127.0.0.1:{free_port()}/d")
    with pytest.raises(ServiceError, match="REDIS_URL does not answer"):
        external.check_valkey(f"redis://127.0.0.1:{free_port()}/0")


def test_a_wrong_password_is_named(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(ServiceError, match="password"):
        external.check_postgres(postgres.dsn.replace(":x@", ":y@"))


def test_an_old_server_is_refused(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "MIN_POSTGRES", 990_000)
    with pytest.raises(ServiceError, match="needs 15 or later"):
        external.check_postgres(postgres.dsn)


def test_a_valkey_says_its_version(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey", password="x")
    server.start()
    try:
        assert external.check_valkey(server.dsn)[0].isdigit()
    finally:
        server.stop()
