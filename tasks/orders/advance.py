"""Outside production orders move on by themselves, a few seconds per step."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from db.jobs.queue import enqueue
from db.orders import service
from db.orders.models import Order
from db.orders.status import NEXT
from tasks.context import JobContext

QUEUE = "orders"
FIRST_STEP_S = 3.0
STEP_S = 4.0
"""Long enough to be seen, short enough to be waited for."""


async def advance(job: JobContext) -> dict[str, Any]:
    """Job `orders.advance` (args: order_id, status).

    Takes one step only if the order still has that status: running twice, or beside an operator, moves it once. The
    next step is enqueued in the same transaction.
    """
    if job.settings.environment == "production":
        return {"skipped": "production"}
    order_id = UUID(str(job.args["order_id"]))
    async with job.transaction() as session:
        current = await session.scalar(select(Order.status).where(Order.id == order_id).with_for_update())
        if current is None or current != job.args["status"]:
            return {"skipped": f"status is {current}"}
        status = await service.advance_order(session, order_id)
        if status is not None and status in NEXT:
            run_at = datetime.now(UTC) + timedelta(seconds=STEP_S)
            args = {"order_id": str(order_id), "status": status.value}
            await enqueue(session, "orders.advance", args, queue=QUEUE, run_at=run_at, user_id=job.user_id)
    return {"status": status.value if status is not None else current}
