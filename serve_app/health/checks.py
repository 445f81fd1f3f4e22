"""What healthy means."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Literal

from redis.asyncio import Redis
from sqlalchemy import text

from serve_app.health.schemas import Check
from serve_app.health.sharing import Finding
from serve_app.resources import Resources

DEADLINE_S = 2.0
"""A part that takes longer is of no use to anybody's request either."""

Status = Literal["healthy", "degraded", "unhealthy"]


async def look(resources: Resources) -> dict[str, Finding]:
    """Ask every part at once. Without Postgres or the actors we are unhealthy; without Valkey only slower."""
    names, checks = ["database"], [_measure(_database(resources), failed="unhealthy")]
    if resources.actors.check is not None:
        names.append("actors")
        checks.append(_measure(resources.actors.check(), failed="unhealthy"))
    if resources.valkey is not None:
        names.append("valkey")
        checks.append(_measure(_ping(resources.valkey), failed="degraded"))
    found = dict(zip(names, await asyncio.gather(*checks), strict=True))
    # None at all is no better than one that is gone, and no news for the log.
    found.setdefault("valkey", Finding(Check(status="degraded", latency_ms=None)))
    return found


def worst(checks: Mapping[str, Check]) -> Status:
    """The status of the whole."""
    statuses = {check.status for check in checks.values()}
    if "unhealthy" in statuses:
        return "unhealthy"
    return "degraded" if "degraded" in statuses else "healthy"


async def _measure(check: Awaitable[None], *, failed: Status) -> Finding:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await check
    except Exception as error:
        kind = type(error).__name__
        return Finding(Check(status=failed, latency_ms=None), reason=kind, error=f"{kind}: {error}")
    return Finding(Check(status="healthy", latency_ms=round((time.perf_counter() - started) * 1000, 2)))


async def _database(resources: Resources) -> None:
    async with resources.database.transaction(read_only=True) as session:
        await session.execute(text("SELECT 1"))


async def _ping(valkey: Redis) -> None:
    await valkey.ping()
