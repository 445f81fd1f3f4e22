"""Metrics for Prometheus."""

import hmac
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response

from actors.metrics.registry import REGISTRY
from actors.metrics.snapshot import render, take
from cluster.logging import get_logger
from db.errors import DatabaseBusy, DatabaseUnavailable
from serve_app.dependencies import ResourcesDep
from serve_app.errors import AuthenticationRequired
from serve_app.metrics.tables import read_tables
from serve_app.openapi_parts import PUBLIC, problems
from serve_app.resources import Resources

router = APIRouter(tags=["operations"])

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

logger = get_logger(__name__)


def refuse_strangers(request: Request, resources: Resources) -> None:
    """With METRICS_TOKEN: whoever has it. Without: this machine only (ASVS 13.4.5)."""
    token = resources.settings.metrics_token.get_secret_value()
    if token:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise AuthenticationRequired("Metrics need 'Authorization: Bearer <METRICS_TOKEN>'.")
        return
    try:
        local = ip_address(resources.addresses.find(request.scope)).is_loopback
    except ValueError:
        local = False
    if not local:
        raise AuthenticationRequired("Without METRICS_TOKEN, metrics are for this machine only.")


@router.get(
    "/metrics",
    openapi_extra=PUBLIC,
    response_class=Response,
    responses=problems(401) | {200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
async def metrics(request: Request, resources: ResourcesDep) -> Response:
    """The numbers of all processes, added up; of this process alone when the actors do not answer. And what waits in
    tables, unless the database does not answer.
    """
    refuse_strangers(request, resources)
    resources.measure()
    snapshot = take(REGISTRY)
    if resources.actors.merged_metrics is not None:
        try:
            snapshot = await resources.actors.merged_metrics()
        except Exception:
            logger.warning("only this process's metrics are shown", exc_info=True)
    try:
        snapshot += await read_tables(resources.database)
    except (DatabaseBusy, DatabaseUnavailable):
        logger.warning("metrics of tables are left out", exc_info=True)
    return Response(render(snapshot), media_type=MEDIA_TYPE)
