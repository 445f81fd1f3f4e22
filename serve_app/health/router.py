"""Health checks."""

from typing import Any

from fastapi import APIRouter, Request, Response

from serve_app.dependencies import ResourcesDep
from serve_app.health.checks import worst
from serve_app.health.schemas import Health, Live, Ready
from serve_app.health.sharing import SharedLook
from serve_app.openapi_parts import PUBLIC

router = APIRouter(prefix="/health", tags=["health"])

UNAVAILABLE = 503


@router.get(
    "",
    response_model=Health,
    openapi_extra=PUBLIC,
    responses={UNAVAILABLE: {"model": Health, "description": "Unhealthy: Postgres or the actors do not answer."}},
)
async def health(request: Request, response: Response) -> Any:
    """Every part: Postgres, actors, Valkey, as they were at `timestamp`: one look serves everybody for a second."""
    shared: SharedLook = request.app.state.health
    found = await shared.ask()
    status = worst(found.checks)
    if status == "unhealthy":
        response.status_code = UNAVAILABLE
    response.headers["Cache-Control"] = "no-store"
    return Health(status=status, timestamp=found.looked_at, checks=dict(found.checks))


@router.get("/live", response_model=Live, openapi_extra=PUBLIC)
async def live() -> Any:
    """The process answers. Touches nothing else."""
    return Live(status="alive")


@router.get(
    "/ready",
    response_model=Ready,
    openapi_extra=PUBLIC,
    responses={UNAVAILABLE: {"model": Ready, "description": "This replica is being replaced."}},
)
async def ready(resources: ResourcesDep, response: Response) -> Any:
    """Whether new requests should come here."""
    response.headers["Cache-Control"] = "no-store"
    if resources.draining:
        response.status_code = UNAVAILABLE
        return Ready(status="draining")
    return Ready(status="ready")
