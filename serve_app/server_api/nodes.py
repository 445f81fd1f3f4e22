"""`info` and `connections`: the realtime processes, and who is connected to them."""

from typing import Any

from actors.protocol import codes
from serve_app.openapi import VERSION
from serve_app.realtime import questions as ask
from serve_app.server_api import schemas
from serve_app.server_api.registry import READ, Context, Reach, Refused, method


async def info(context: Context, _body: schemas.Nothing) -> Any:
    """One node per realtime process. One that does not answer in time is left out."""
    return {"nodes": [_node(report) for report in await ask.ask_nodes(context.shards.sessions)]}


def _node(report: ask.NodeReport) -> Any:
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


async def connections(context: Context, body: schemas.Connections) -> Any:
    """Who is connected as a user: at most `PAGE_MAX` connections of each process."""
    if body.expression:
        raise Refused(codes.ERROR_NOT_AVAILABLE, "expressions are not offered; name a user")
    question = ask.AskConnections(user=body.user)
    survey = await ask.ask(context.shards.sessions, question, ask.ConnectionPage)
    return {"connections": {held.client: _connection(held) for page in survey.answers for held in page.connections}}


def _connection(held: ask.HeldConnection) -> Any:
    protocol, _, transport = held.transport.partition("/")
    return {
        "app_name": held.name,
        "app_version": held.version,
        "transport": transport,
        "protocol": protocol,
        "user": held.user,
        "state": {"channels": {channel.channel: {} for channel in held.channels}},
    }


METHODS = (
    method("info", READ, schemas.Nothing, info, Reach.LISTED),
    method("connections", READ, schemas.Connections, connections, Reach.EVERYTHING),
)
