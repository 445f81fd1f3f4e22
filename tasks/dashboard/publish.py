"""Live figures of the dashboard: the system's for anybody signed in, the shop's for who may see business figures."""

import asyncio
from typing import Any

import msgspec
import structlog

from actors.metrics import handle as metrics
from actors.metrics.snapshot import Snapshot
from db.dashboard.repository import daily_revenue
from db.jobs.service import count_jobs
from tasks.context import JobContext

CHANNEL = "dashboard:live"
SALES_CHANNEL = "sales:live"
"""Apart, because a channel is read whole or not at all: its namespace asks for `dashboard:read`, as REST does."""

CONNECTIONS = "active_connections"
METRICS_DEADLINE_S = 2.0

logger = structlog.get_logger(__name__)


async def publish(job: JobContext) -> dict[str, Any]:
    """Job `dashboard.publish`: read the figures, publish them on two memory channels. Misses cost nothing."""
    async with job.database.transaction(read_only=True) as session:
        today = (await daily_revenue(session, days=1))[-1]
        jobs = await count_jobs(session)
    sales = {"type": "sales", "orders_today": today.orders, "revenue_today": f"{today.revenue:.2f}"}
    figures = {
        "type": "stats",
        "connections": await count_connections(),
        # This job is one of the running ones, and nobody's concern.
        "jobs_running": max(0, jobs.running - 1),
        "jobs_waiting": jobs.ready + jobs.deferred,
    }
    await job.publish(CHANNEL, figures)
    await job.publish(SALES_CHANNEL, sales)
    return figures | sales | {"type": "stats"}


async def count_connections() -> int | None:
    """Open sockets in the whole cluster; None when nobody can say."""
    try:
        async with asyncio.timeout(METRICS_DEADLINE_S):
            answer = await metrics.call("merged", b"", METRICS_DEADLINE_S)
    except Exception as reason:
        logger.warning("live connections are unknown", reason=repr(reason))
        return None
    families = msgspec.msgpack.decode(answer, type=Snapshot)
    return int(sum(s.value for family in families if family.name == CONNECTIONS for s in family.samples))
