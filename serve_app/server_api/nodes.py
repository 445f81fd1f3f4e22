"""`info`: the realtime processes and what each holds."""

from typing import Any

from serve_app.openapi import VERSION
from serve_app.realtime.questions import NodeReport, ask_nodes
from serve_app.server_api import schemas
from serve_app.server_api.registry import READ, Context, Reach, method


async def info(context: Context, _body: schemas.Nothing) -> Any:
    """One node per realtime process. One that does not answer in time is left out."""
    return {"nodes": [_node(report) for report in await ask_nodes(context.shards.sessions)]}


def _node(report: NodeReport) -> Any:
    return {
        "uid": report.hub,
        "name": report.name,
        "version": VERSION,
        "num_clients": report.connections,
        "num_users": report.users,
        "num_subs": report.subscriptions,
        "num_channels": report.channels,
        "uptime": report.uptime_s,
        "process": {"cpu": report.cpu_percent, "rss": report.rss_bytes},
    }


METHODS = (method("info", READ, schemas.Nothing, info, Reach.LISTED),)
