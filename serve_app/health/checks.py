"""What healthy means."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Literal

from redis.asyncio import Redis
from sqlalchemy import text

from cluster.logging import get_logger
from serve_app.health.schemas import Check
from serve_app.resources import Resources

DEADLINE_S = 2.0
"""A part that takes longer is of no use to anybody's request either."""

Status = Literal["healthy", "degraded", "unhealthy"]

logger = get_logger(__name__)


async def check_all(resources: Resources) -> dict[str, Check]:
    """Ask every part at once. Without Postgres or the actors we are unhealthy; without Valkey only slower."""
    names, checks = ["database"], [_measure(_database(resources), "database", failed="unhealthy")]
    if resources.actors.check is not None:
        names.append("actors")
        checks.append(_measure(resources.actors.check(), "actors", failed="unhealthy"))
    if resources.valkey is not None:
        names.append("valkey")
        checks.append(_measure(_ping(resources.valkey), "valkey", failed="degraded"))
    found = dict(zip(names, await asyncio.gather(*checks), strict=True))
    # None at all is no better than one that is gone, and no news: the log does not repeat it with every probe.
    found.setdefault("valkey", Check(status="degraded", latency_ms=None))
    return found


def worst(checks: dict[str, Check]) -> Status:
    """The status of the whole."""
    statuses = {check.status for check in checks.values()}
    if "unhealthy" in statuses:
        return "unhealthy"
    return "degraded" if "degraded" in statuses else "healthy"


async def _measure(check: Awaitable[None], name: str, *, failed: Status) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await check
    except Exception as error:
        logger.warning("health check failed", part=name, error=f"{type(error).__name__}: {error}")
        return Check(status=failed, latency_ms=None)
    return Check(status="healthy", latency_ms=round((time.perf_counter() - started) * 1000, 2))


async def _database(resources: Resources) -> None:
    async with resources.database.transaction(read_only=True) as session:
        await session.execute(text("SELECT 1"))


async def _ping(valkey: Redis) -> None:
    await valkey.ping()
