"""Methods that publish."""

import asyncio
import base64
import binascii
import uuid
from typing import Any

from actors.brokers.contract import PublishRequest
from actors.protocol import codes
from actors.protocol.frames import EMPTY
from actors.protocol.json_codec import single_line
from serve_app.server_api import schemas
from serve_app.server_api.registry import PUBLISH, Context, Reach, Refused, method, outcome


async def publish(context: Context, body: schemas.Publish) -> Any:
    """Publish into one channel. Answering means acknowledged; on a durable channel, committed."""
    return await _publish(context, body.channel, payload(body.data, body.b64data), body)


async def broadcast(context: Context, body: schemas.Broadcast) -> Any:
    """Publish the same into many channels; each has its own outcome."""
    data = payload(body.data, body.b64data)
    return {
        "responses": await asyncio.gather(
            *(outcome(_publish(context, channel, data, body)) for channel in body.channels)
        )
    }


async def _publish(context: Context, channel: str, data: bytes, body: schemas.Publish | schemas.Broadcast) -> Any:
    if not context.grant.touches(channel):
        raise Refused(codes.ERROR_PERMISSION_DENIED)
    position = await context.shards.brokers.publish(
        PublishRequest(
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
    )
    return {"offset": position.offset, "epoch": position.epoch}


def payload(data: Any, b64data: str, *, name: str = "data") -> bytes:
    """What a body carries as one line of JSON. Raises Refused for nothing, for too much and for what is not JSON."""
    found = optional_payload(data, b64data, name=name)
    if not found:
        raise Refused(codes.ERROR_BAD_REQUEST, f"{name} is missing")
    return found


def optional_payload(data: Any, b64data: str, *, name: str = "data") -> bytes:
    """The same, or nothing when there is nothing."""
    if b64data:
        try:
            text = base64.b64decode(b64data, validate=True)
        except binascii.Error as reason:
            raise Refused(codes.ERROR_BAD_REQUEST, f"b64{name} is not base64") from reason
    elif data is EMPTY:
        return b""
    else:
        text = bytes(data)
    if len(text) > schemas.MAX_DATA_BYTES:
        raise Refused(codes.ERROR_LIMIT_EXCEEDED, f"{name} is longer than {schemas.MAX_DATA_BYTES} bytes")
    try:
        return single_line(text)
    except ValueError as reason:
        raise Refused(codes.ERROR_BAD_REQUEST, f"{name} is not JSON") from reason


METHODS = (
    method("publish", PUBLISH, schemas.Publish, publish),
    method("broadcast", PUBLISH, schemas.Broadcast, broadcast, Reach.LISTED),
)
