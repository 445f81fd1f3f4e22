"""Publish from inside a transaction."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.effects import PublicationsQueued
from db.errors import InvalidInput
from db.session import record_effect

_PUBLISH = text("SELECT app.publish(:channel, CAST(:data AS jsonb), CAST(:tags AS jsonb), :idempotency_key)")

MAX_CHANNEL_BYTES = 255

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL in JSON text; a written-out backslash before `u0000` is none."""


async def publish(
    session: AsyncSession,
    channel: str,
    data: Any,
    *,
    tags: Mapping[str, str] | None = None,
    idempotency_key: str = "",
) -> int:
    """Queue a publication that goes out when this transaction commits, after all that committed before it.

    `data` is anything JSON can express. The same `idempotency_key` on the same channel within five minutes publishes
    once. Returns the outbox row's id. Raises InvalidInput for data that Postgres cannot store (NUL characters) and for
    a channel without a usable name.
    """
    if not 1 <= len(channel.encode("utf-8", "replace")) <= MAX_CHANNEL_BYTES or "\0" in channel + idempotency_key:
        raise InvalidInput("A channel name has 1 to 255 bytes.", details={"channel": channel})
    encoded = orjson.dumps(data)
    encoded_tags = orjson.dumps(dict(tags)) if tags else None
    if _ESCAPED_NUL.search(encoded) or (encoded_tags is not None and _ESCAPED_NUL.search(encoded_tags)):
        raise InvalidInput("A publication cannot contain NUL characters.", details={"channel": channel})
    row = await session.execute(
        _PUBLISH,
        {
            "channel": channel,
            "data": encoded.decode(),
            "tags": encoded_tags.decode() if encoded_tags is not None else None,
            "idempotency_key": idempotency_key,
        },
    )
    record_effect(session, PublicationsQueued((channel,)))
    return int(row.scalar_one())
