"""What is in force: the namespaces of the realtime processes, and the processes that own the shards."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter

from cluster.names import BUCKETS
from db.errors import Unavailable
from serve_app.dependencies import ResourcesDep
from serve_app.openapi_parts import problems
from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import presenting
from serve_app.realtime_inspection.router import RealtimeReader, reachable
from serve_app.realtime_inspection.schemas import RealtimeRulesList, ShardProcessList
from serve_app.resources import Resources

router = APIRouter(prefix="/realtime", tags=["realtime"])


logger = structlog.get_logger(__name__)


@router.get("/namespaces", response_model=RealtimeRulesList, responses=problems(403, 503))
async def list_realtime_namespaces(_principal: RealtimeReader, resources: ResourcesDep) -> Any:
    """The namespaces in force, and in which processes."""
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ask.AskNamespaces(), ask.NamespacesReport)
    return {"items": presenting.rules(survey.answers), "silent": list(survey.silent)}


@router.get("/shards", response_model=ShardProcessList, responses=problems(403, 503))
async def list_shard_processes(_principal: RealtimeReader, resources: ResourcesDep) -> Any:
    """The processes that host shards: which answers, its lease, and how many buckets each broker shard owns."""
    if resources.actors.survey_hosts is None:
        raise Unavailable("The shards cannot be reached.")
    processes = await resources.actors.survey_hosts()
    buckets = await _buckets(resources)
    return {"items": [presenting.shard_process(each, buckets) for each in processes], "buckets": BUCKETS}


async def _buckets(resources: Resources) -> Mapping[int, int]:
    """Broker shard → how many buckets it owns; empty when no broker shard says so: the rest is worth showing."""
    if resources.actors.bucket_owners is None:
        return {}
    try:
        return Counter((await resources.actors.bucket_owners()).values())
    except Exception as reason:
        logger.warning("nobody says who owns the buckets", reason=repr(reason))
        return {}
