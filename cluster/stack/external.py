"""Servers that DATABASE_URL and REDIS_URL name: reachable, new enough, and allowing enough connections."""

import asyncio
from dataclasses import dataclass

import asyncpg
import redis

from cluster.services.errors import ServiceError

MIN_POSTGRES = 150_000
"""server_version_num of PostgreSQL 15, the oldest that migrations are tested on."""
ANSWER_LIMIT_S = 15.0

DEMO_ADDRESS = "ada@mobula.localhost"
"""One of the accounts that db/seed makes."""


@dataclass(frozen=True, slots=True)
class ExternalPostgres:
    """What a server said about itself."""

    version: str
    max_connections: int
    broker_shards: int = 0
    """How many broker shards own buckets, where there are any."""
    identity: str = ""
    """Of this database: no other one has it, also not a later one at the same address. "" when it is not told."""


def check_postgres(url: str) -> ExternalPostgres:
    """Ask the server. Raises ServiceError when it does not answer or is too old."""
    try:
        version, number, connections, shards, identity = asyncio.run(_ask(url))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as problem:
        raise ServiceError(f"the server of DATABASE_URL does not answer: {problem or type(problem).__name__}") from None
    if number < MIN_POSTGRES:
        raise ServiceError(f"the server of DATABASE_URL is PostgreSQL {version}; Mobula needs 15 or later")
    return ExternalPostgres(version, connections, shards, identity)


def has_demo_accounts(url: str) -> bool:
    """Whether the accounts of db/seed are in this database. False also where that cannot be found out."""
    try:
        return asyncio.run(_ask_for_demo(url))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError):
        return False


async def _ask(url: str) -> tuple[str, int, int, int, str]:
    connection = await asyncpg.connect(url, timeout=ANSWER_LIMIT_S)
    try:
        row = await connection.fetchrow(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int,"
            " current_setting('max_connections')::int"
        )
        if row is None:
            raise ValueError("no answer")
        is_migrated = await connection.fetchval("SELECT to_regclass('app.stream_buckets') IS NOT NULL")
        shards = await connection.fetchval("SELECT count(DISTINCT shard) FROM app.stream_buckets") if is_migrated else 0
        return str(row[0]), int(row[1]), int(row[2]), int(shards), await _identity(connection)
    finally:
        await connection.close()


async def _identity(connection: asyncpg.Connection) -> str:
    """The number that initdb drew, and the database's, which a DROP and CREATE changes."""
    try:
        found = await connection.fetchval(
            "SELECT c.system_identifier || '/' || d.oid FROM pg_control_system() c, pg_database d"
            " WHERE d.datname = current_database()"
        )
    except asyncpg.PostgresError:  # some hosts keep the function to themselves
        return ""
    return str(found)


async def _ask_for_demo(url: str) -> bool:
    connection = await asyncpg.connect(url, timeout=ANSWER_LIMIT_S)
    try:
        return bool(
            await connection.fetchval(
                "SELECT EXISTS (SELECT 1 FROM auth.users WHERE lower(email) = $1 AND is_active AND deleted_at IS NULL)",
                DEMO_ADDRESS,
            )
        )
    finally:
        await connection.close()


def check_valkey(url: str) -> str:
    """The server's version. Raises ServiceError when it does not answer."""
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_LIMIT_S, socket_connect_timeout=ANSWER_LIMIT_S) as client:
            info = client.info("server")
    except (redis.RedisError, ValueError) as problem:
        raise ServiceError(f"the server of REDIS_URL does not answer: {problem}") from None
    return str(info.get("valkey_version") or info.get("redis_version")) if isinstance(info, dict) else "unknown"
