"""Methods about maps: keys set, removed and read; their changes; how many; all of them forgotten."""

import uuid
from typing import Any

from actors.brokers.contract import HistoryRequest, MapChange, PublishRequest, StreamPosition
from actors.protocol import codes
from serve_app.realtime.encoding import history_message, publication_message
from serve_app.server_api import schemas
from serve_app.server_api.publishing import payload
from serve_app.server_api.registry import ADMIN, PUBLISH, READ, Context, Refused, method


async def map_publish(context: Context, body: schemas.MapPublish) -> Any:
    """Set a key. Answering means acknowledged; on a persistent map, committed."""
    change = MapChange(
        body.key,
        score=body.score,
        mode=body.key_mode,
        expected=_position(body.expected_position),
        ttl_s=body.key_ttl,
    )
    request = PublishRequest(
        channel=body.channel,
        data=payload(body.data, body.b64data),
        publication_id=uuid.uuid4().hex,
        tags=body.tags,
        idempotency_key=body.idempotency_key,
        delta=body.delta,
        version=body.version,
        version_epoch=body.version_epoch,
        change=change,
    )
    return await _change(context, request)


async def map_remove(context: Context, body: schemas.MapRemove) -> Any:
    """Remove a key. One that is not there is answered as suppressed."""
    request = PublishRequest(
        channel=body.channel,
        data=b"",
        publication_id=uuid.uuid4().hex,
        tags=body.tags,
        idempotency_key=body.idempotency_key,
        change=MapChange(body.key, removed=True, expected=_position(body.expected_position)),
    )
    return await _change(context, request)


async def _change(context: Context, request: PublishRequest) -> Any:
    made = await context.shards.brokers.map_publish(request)
    result: dict[str, Any] = {"offset": made.position.offset, "epoch": made.position.epoch}
    if made.suppressed:
        result |= {"suppressed": True, "suppress_reason": made.suppressed}
    return result


async def map_read_state(context: Context, body: schemas.MapReadState) -> Any:
    """A page of keys, or one key."""
    read = await context.shards.brokers.map_read(
        body.channel, limit=body.limit, cursor=body.cursor, key=body.key, asc=body.asc
    )
    return {
        "publications": [publication_message(entry) for entry in read.entries],
        "cursor": read.cursor,
        "offset": read.position.offset,
        "epoch": read.position.epoch,
    }


async def map_read_stream(context: Context, body: schemas.MapReadStream) -> Any:
    """Changes of keys in the order in which they were made."""
    await context.shards.brokers.map_read(body.channel, limit=0)
    since = StreamPosition(body.since_epoch, body.since_offset) if body.since_epoch or body.since_offset else None
    if since is not None and body.reverse and since.offset == 0:
        raise Refused(codes.ERROR_BAD_REQUEST, "nothing comes before offset 0")
    request = HistoryRequest(body.channel, limit=max(body.limit, -1), since=since, reverse=body.reverse)
    return history_message(await context.shards.brokers.history(request))


async def map_stats(context: Context, body: schemas.OneChannel) -> Any:
    """How many keys there are."""
    read = await context.shards.brokers.map_read(body.channel, limit=0)
    return {"num_keys": read.total}


async def map_clear(context: Context, body: schemas.OneChannel) -> Any:
    """Forget all keys and changes; subscribers read the map again."""
    await context.shards.brokers.map_clear(body.channel)
    return {}


def _position(given: schemas.Since | None) -> StreamPosition | None:
    return None if given is None else StreamPosition(given.epoch, given.offset)


METHODS = (
    method("map_publish", PUBLISH, schemas.MapPublish, map_publish),
    method("map_remove", PUBLISH, schemas.MapRemove, map_remove),
    method("map_read_state", READ, schemas.MapReadState, map_read_state),
    method("map_read_stream", READ, schemas.MapReadStream, map_read_stream),
    method("map_stats", READ, schemas.OneChannel, map_stats),
    method("map_clear", ADMIN, schemas.OneChannel, map_clear),
)
