"""Methods for the connections of a user: what they hold, what they are sent, when they end.

Each order goes to the session shard that knows the user and from there to whichever process holds a connection. Those
without a user are addressed one by one, by `client`. Answering means passed on; nobody connected is no error.
"""

import time
from typing import Any

from actors.brokers.contract import BrokerError
from actors.protocol import codes
from actors.protocol.channels import InvalidChannel
from actors.protocol.namespaces import UnknownNamespace
from actors.sessions.contract import RefreshOrder, SubscribeOrder
from serve_app.realtime.server_side import NO_STREAM
from serve_app.server_api import schemas
from serve_app.server_api.publishing import optional_payload, payload
from serve_app.server_api.registry import ADMIN, PUBLISH, Context, Reach, Refused, method

Addressed = schemas.Subscribe | schemas.Unsubscribe | schemas.Disconnect | schemas.Refresh | schemas.SendMessage


async def subscribe(context: Context, body: schemas.Subscribe) -> Any:
    """Subscribe a user's connections to a channel: a server-side subscription, which its client is told of."""
    _require_target(body)
    await _require_channel(context, body.channel)
    _require_stream(context, body.channel)
    if body.expire_at and body.expire_at <= time.time():
        raise Refused(codes.ERROR_BAD_REQUEST, "expire_at is in the past")
    order = SubscribeOrder(
        channel=body.channel,
        info=optional_payload(body.info, body.b64info, name="info"),
        data=optional_payload(body.data, body.b64data),
        expire_at=body.expire_at,
        since=(body.recover_since.epoch, body.recover_since.offset) if body.recover_since is not None else None,
        override=body.override.chosen() if body.override is not None else {},
    )
    await context.shards.sessions.subscribe_user(body.user, order, session=body.session, client=body.client)
    return {}


async def unsubscribe(context: Context, body: schemas.Unsubscribe) -> Any:
    """Take a channel away from a user's connections."""
    _require_target(body)
    if body.channel:
        await _require_channel(context, body.channel)
    ending = body.unsubscribe or schemas.UnsubscribeCode(codes.UNSUBSCRIBE_SERVER.code)
    if codes.is_reserved_unsubscribe(ending.code) and ending.code not in codes.UNSUBSCRIBES:
        raise Refused(codes.ERROR_BAD_REQUEST, "codes of your own are 2100 to 2499 and 2600 to 2999")
    await context.shards.sessions.unsubscribe_user(
        body.user,
        body.channel,
        code=ending.code,
        reason=ending.reason or codes.unsubscribe(ending.code).reason,
        session=body.session,
        client=body.client,
    )
    return {}


async def disconnect(context: Context, body: schemas.Disconnect) -> Any:
    """Close a user's connections."""
    _require_target(body)
    ending = body.disconnect or schemas.DisconnectCode(codes.DISCONNECT_FORCE.code)
    await context.shards.sessions.disconnect_user(
        body.user,
        code=ending.code,
        reason=ending.reason or codes.disconnect(ending.code).reason,
        session=body.session,
        client=body.client,
        exclude=body.whitelist,
    )
    return {}


async def refresh(context: Context, body: schemas.Refresh) -> Any:
    """Give a user's connections another end, or end them as expired."""
    _require_target(body)
    order = RefreshOrder(body.expired, body.expire_at)
    await context.shards.sessions.refresh_user(body.user, order, session=body.session, client=body.client)
    return {}


async def send(context: Context, body: schemas.SendMessage) -> Any:
    """Send a message, outside every channel, to each connection of a user. Whoever is away does not get it."""
    _require_target(body)
    data = payload(body.data, body.b64data)
    told = await context.shards.sessions.send_to_user(body.user, data, session=body.session, client=body.client)
    return {"num_clients": told}


def _require_target(body: Addressed) -> None:
    """Raise 107 for an order to nobody in particular."""
    if not body.user and not body.client:
        raise Refused(codes.ERROR_BAD_REQUEST, "name a user, or by 'client' one connection that has none")


async def _require_channel(context: Context, channel: str) -> None:
    """Raise 102 for a channel that cannot exist. Its owner knows; what it says about presence does not matter here."""
    try:
        await context.shards.brokers.presence_stats(channel)
    except BrokerError as reason:
        if reason.code != codes.ERROR_NOT_AVAILABLE.code:
            raise


def _require_stream(context: Context, channel: str) -> None:
    """Raise 107 for a map or a shared poll: which pages and keys its client reads, its client says."""
    if context.namespaces is None:
        return
    try:
        kind = context.namespaces.for_channel(channel).subscription_type
    except (UnknownNamespace, InvalidChannel):
        return  # newer than this process: the one that holds the connection decides
    if kind != "stream":
        raise Refused(codes.ERROR_BAD_REQUEST, NO_STREAM)


METHODS = (
    method("subscribe", ADMIN, schemas.Subscribe, subscribe),
    method("unsubscribe", ADMIN, schemas.Unsubscribe, unsubscribe),
    method("disconnect", ADMIN, schemas.Disconnect, disconnect, Reach.EVERYTHING),
    method("refresh", ADMIN, schemas.Refresh, refresh, Reach.EVERYTHING),
    method("send", PUBLISH, schemas.SendMessage, send, Reach.EVERYTHING),
)
