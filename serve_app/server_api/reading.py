"""Methods that read channels."""

from typing import Any

from actors.brokers.contract import HistoryRequest, StreamPosition
from actors.protocol import codes
from actors.protocol.frames import PresenceResult
from db.read_positions import service
from serve_app.realtime.encoding import history_message, info_message
from serve_app.realtime.reading import keeps_positions
from serve_app.server_api import schemas
from serve_app.server_api.registry import ADMIN, READ, Context, Reach, Refused, method


async def presence(context: Context, body: schemas.OneChannel) -> Any:
    """Who is in a channel."""
    present = await context.shards.brokers.presence(body.channel)
    return PresenceResult({client: info_message(info) for client, info in present.items()})


async def presence_stats(context: Context, body: schemas.OneChannel) -> Any:
    """How many are in a channel."""
    stats = await context.shards.brokers.presence_stats(body.channel)
    return {"num_clients": stats.clients, "num_users": stats.users}


async def history(context: Context, body: schemas.History) -> Any:
    """Read a channel's stream."""
    since = body.since
    if since is not None and body.reverse and since.offset == 0:
        raise Refused(codes.ERROR_BAD_REQUEST, "nothing comes before offset 0")
    position = StreamPosition(since.epoch, since.offset) if since is not None else None
    request = HistoryRequest(body.channel, limit=max(body.limit, -1), since=position, reverse=body.reverse)
    return history_message(await context.shards.brokers.history(request))


async def history_remove(context: Context, body: schemas.OneChannel) -> Any:
    """Forget a channel's publications; its position stays."""
    await context.shards.brokers.history_remove(body.channel)
    return {}


async def channels(context: Context, body: schemas.Channels) -> Any:
    """Channels that have subscribers, of those that the key may touch."""
    found = await context.shards.brokers.channels(body.pattern)
    visible = sorted((name, count) for name, count in found.items() if context.grant.touches(name))
    return {"channels": {name: {"num_clients": count} for name, count in visible}}


async def read_positions(context: Context, body: schemas.OneChannel) -> Any:
    """How far users have read a channel whose namespace keeps that; the hundred who read last."""
    if context.database is None or context.namespaces is None or not keeps_positions(context.namespaces, body.channel):
        raise Refused(codes.ERROR_NOT_AVAILABLE)
    async with context.database.transaction(read_only=True) as session:
        return {"positions": await service.members(session, body.channel)}


METHODS = (
    method("presence", READ, schemas.OneChannel, presence),
    method("presence_stats", READ, schemas.OneChannel, presence_stats),
    method("history", READ, schemas.History, history),
    method("history_remove", ADMIN, schemas.OneChannel, history_remove),
    method("read_positions", READ, schemas.OneChannel, read_positions),
    method("channels", READ, schemas.Channels, channels, Reach.LISTED),
)
