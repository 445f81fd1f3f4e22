"""Servers that DATABASE_URL and REDIS_URL name: reachable, new enough, and allowing enough connections."""

import asyncio
from dataclasses import dataclass

import asyncpg
import redis

from cluster.services.errors import ServiceError

MIN_POSTGRES = 150_000
"""server_version_num of PostgreSQL 15, the oldest that migrations are tested on."""
ANSWER_LIMIT_S = 15.0


@dataclass(frozen=True, slots=True)
class ExternalPostgres:
    """What a server said about itself."""

    version: str
    max_connections: int
    broker_shards: int = 0
    """How many broker shards own buckets, where there are any."""


def check_postgres(url: str) -> ExternalPostgres:
    """Ask the server. Raises ServiceError when it does not answer or is too old."""
    try:
        version, number, connections, shards = asyncio.run(_ask(url))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as problem:
        raise ServiceError(f"the server of DATABASE_URL does not answer: {problem or type(problem).__name__}") from None
    if number < MIN_POSTGRES:
        raise ServiceError(f"the server of DATABASE_URL is PostgreSQL {version}; Mobula needs 15 or later")
    return ExternalPostgres(version, connections, shards)


async def _ask(url: str) -> tuple[str, int, int, int]:
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
        return str(row[0]), int(row[1]), int(row[2]), int(shards)
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
