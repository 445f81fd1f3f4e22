"""What the methods of the server API do. Results and errors are those of the protocol."""

import asyncio
import base64
import binascii
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.brokers.contract import BrokerClient, BrokerError, HistoryRequest, PublishRequest, StreamPosition
from actors.protocol import codes
from actors.protocol.frames import EMPTY, PresenceResult
from actors.protocol.json_codec import single_line
from actors.sessions.contract import SessionClient
from serve_app.openapi import VERSION
from serve_app.realtime.encoding import history_message, info_message
from serve_app.server_api import schemas

PUBLISH = "realtime:publish"
READ = "realtime:read"
ADMIN = "realtime:admin"


class Refused(Exception):
    """A method ends with an error of the protocol."""

    def __init__(self, error: codes.ErrorCode, message: str = "") -> None:
        super().__init__(message or error.text)
        self.code = error.code
        self.message = message or error.text


@dataclass(frozen=True, slots=True)
class Shards:
    """What the methods call."""

    brokers: BrokerClient
    sessions: SessionClient


async def publish(shards: Shards, body: schemas.Publish) -> Any:
    """Publish into one channel. Answering means acknowledged; on a durable channel, committed."""
    position = await shards.brokers.publish(_request(body.channel, _payload(body), body))
    return {"offset": position.offset, "epoch": position.epoch}


async def broadcast(shards: Shards, body: schemas.Broadcast) -> Any:
    """Publish the same into many channels; each has its own outcome."""
    data = _payload(body)

    async def one(channel: str) -> Any:
        try:
            position = await shards.brokers.publish(_request(channel, data, body))
        except BrokerError as reason:
            return {"error": {"code": reason.code, "message": reason.message}}
        return {"result": {"offset": position.offset, "epoch": position.epoch}}

    return {"responses": await asyncio.gather(*(one(channel) for channel in body.channels))}


def _request(channel: str, data: bytes, body: schemas.Publish | schemas.Broadcast) -> PublishRequest:
    return PublishRequest(
        channel=channel,
        data=data,
        publication_id=uuid.uuid4().hex,
        tags=body.tags,
        idempotency_key=body.idempotency_key,
        delta=body.delta,
        skip_history=body.skip_history,
        version=body.version,
        version_epoch=body.version_epoch,
        exclude_clients=body.exclude_clients,
        exclude_users=body.exclude_users,
    )


def _payload(body: schemas.Publish | schemas.Broadcast) -> bytes:
    if body.b64data:
        try:
            text = base64.b64decode(body.b64data, validate=True)
        except binascii.Error as reason:
            raise Refused(codes.ERROR_BAD_REQUEST, "b64data is not base64") from reason
    elif body.data is EMPTY:
        raise Refused(codes.ERROR_BAD_REQUEST, "data is missing")
    else:
        text = bytes(body.data)
    if len(text) > schemas.MAX_DATA_BYTES:
        raise Refused(codes.ERROR_LIMIT_EXCEEDED, f"data is longer than {schemas.MAX_DATA_BYTES} bytes")
    try:
        return single_line(text)
    except ValueError as reason:
        raise Refused(codes.ERROR_BAD_REQUEST, "data is not JSON") from reason


async def presence(shards: Shards, body: schemas.OneChannel) -> Any:
    """Who is in a channel."""
    present = await shards.brokers.presence(body.channel)
    return PresenceResult({client: info_message(info) for client, info in present.items()})


async def presence_stats(shards: Shards, body: schemas.OneChannel) -> Any:
    """How many are in a channel."""
    stats = await shards.brokers.presence_stats(body.channel)
    return {"num_clients": stats.clients, "num_users": stats.users}


async def history(shards: Shards, body: schemas.History) -> Any:
    """Read a channel's stream."""
    since = body.since
    if since is not None and body.reverse and since.offset == 0:
        raise Refused(codes.ERROR_BAD_REQUEST, "nothing comes before offset 0")
    position = StreamPosition(since.epoch, since.offset) if since is not None else None
    request = HistoryRequest(body.channel, limit=max(body.limit, -1), since=position, reverse=body.reverse)
    return history_message(await shards.brokers.history(request))


async def history_remove(shards: Shards, body: schemas.OneChannel) -> Any:
    """Forget a channel's publications; its position stays."""
    await shards.brokers.history_remove(body.channel)
    return {}


async def disconnect(shards: Shards, body: schemas.Disconnect) -> Any:
    """Close a user's connections."""
    ending = body.disconnect or schemas.DisconnectCode(codes.DISCONNECT_FORCE.code)
    reason = ending.reason or codes.disconnect(ending.code).reason
    await shards.sessions.disconnect_user(
        body.user,
        code=ending.code,
        reason=reason,
        session=body.session,
        client=body.client,
        exclude=body.whitelist,
    )
    return {}


async def channels(shards: Shards, body: schemas.Channels) -> Any:
    """Channels that have subscribers."""
    found = await shards.brokers.channels(body.pattern)
    return {"channels": {name: {"num_clients": count} for name, count in sorted(found.items())}}


async def info(shards: Shards, _body: schemas.Nothing) -> Any:
    """The cluster as one node: its shards are not addressed one by one."""
    found = await shards.brokers.channels()
    node = {"uid": "mobula", "name": "mobula", "version": VERSION, "num_channels": len(found)}
    return {"nodes": [{**node, "num_subs": sum(found.values())}]}


async def not_available(_shards: Shards, _body: schemas.Nothing) -> Any:
    """A method of the protocol that this server does not offer."""
    raise Refused(codes.ERROR_NOT_AVAILABLE)


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what its key must be allowed, its body, what it does."""

    permission: str
    body: msgspec.json.Decoder[Any]
    run: Callable[[Shards, Any], Awaitable[Any]]


def _method(permission: str, body: type[Any], run: Callable[[Shards, Any], Awaitable[Any]]) -> Method:
    return Method(permission, msgspec.json.Decoder(body), run)


METHODS = {
    "publish": _method(PUBLISH, schemas.Publish, publish),
    "broadcast": _method(PUBLISH, schemas.Broadcast, broadcast),
    "presence": _method(READ, schemas.OneChannel, presence),
    "presence_stats": _method(READ, schemas.OneChannel, presence_stats),
    "history": _method(READ, schemas.History, history),
    "history_remove": _method(ADMIN, schemas.OneChannel, history_remove),
    "disconnect": _method(ADMIN, schemas.Disconnect, disconnect),
    "channels": _method(READ, schemas.Channels, channels),
    "info": _method(READ, schemas.Nothing, info),
    "subscribe": _method(ADMIN, schemas.Nothing, not_available),
    "unsubscribe": _method(ADMIN, schemas.Nothing, not_available),
    "refresh": _method(ADMIN, schemas.Nothing, not_available),
}
