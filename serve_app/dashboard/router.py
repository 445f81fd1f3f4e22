"""The figures of the dashboard."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from cluster.logging import get_logger
from db.dashboard import repository
from db.jobs.service import count_jobs
from serve_app.dashboard.schemas import Dashboard, DayFigures
from serve_app.dependencies import DbSession, ResourcesDep, require_of_keys
from serve_app.orders.presenting import present_summary
from serve_app.resources import Resources
from serve_app.security.principal import Principal

router = APIRouter(prefix="/dashboard", tags=["dashboard"])

SEES_ALL = "dashboard:read"
Viewer = Annotated[Principal, Depends(require_of_keys(SEES_ALL))]
CONNECTIONS = "active_connections"

logger = get_logger(__name__)


@router.get("", response_model=Dashboard)
async def get_dashboard(principal: Viewer, session: DbSession, resources: ResourcesDep) -> Any:
    """Orders, revenue, conversations: everybody's with `dashboard:read`, else one's own.

    How the system does (connections, jobs) is for anybody signed in, as on `dashboard:live`. An API key needs
    `dashboard:read`.
    """
    everybody = principal.may(SEES_ALL)
    figures = await repository.figures(session, viewer_id=principal.user_id, only_own=not everybody)
    jobs = await count_jobs(session)
    return Dashboard(
        scope="all" if everybody else "own",
        products=figures.products,
        products_low=figures.products_low,
        users=figures.users if everybody else None,
        orders_total=figures.orders_total,
        orders_today=figures.orders_today,
        orders_open=figures.orders_open,
        orders_by_status=figures.orders_by_status,
        revenue_today=figures.revenue_today,
        currency=figures.currency,
        conversations=figures.conversations,
        unread_notifications=figures.unread_notifications,
        connections=await count_connections(resources),
        jobs_running=jobs.running,
        jobs_waiting=jobs.ready + jobs.deferred,
        recent_orders=[present_summary(order) for order in figures.recent_orders],
        daily=[DayFigures.model_validate(day) for day in figures.daily],
        generated_at=figures.generated_at,
    )


async def count_connections(resources: Resources) -> int | None:
    """Open sockets in the whole cluster; None when nobody can say."""
    if resources.actors.merged_metrics is None:
        return None
    try:
        snapshot = await resources.actors.merged_metrics()
    except Exception:
        logger.warning("live connections are unknown", exc_info=True)
        return None
    return int(sum(sample.value for family in snapshot if family.name == CONNECTIONS for sample in family.samples))
