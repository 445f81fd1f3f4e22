"""Publish from inside a transaction."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.effects import PublicationsQueued, UserMessaged
from db.errors import InvalidInput
from db.session import record_effect

_PUBLISH = text(
    "SELECT app.publish(:channel, CAST(:data AS jsonb), CAST(:tags AS jsonb), :idempotency_key, "
    "CAST(:exclude_clients AS text[]), CAST(:exclude_users AS text[]), :version, :version_epoch)"
)
_REPLACE = text("SELECT app.replace_publication(:channel, :replaced, CAST(:data AS jsonb))")
_MAP_PUBLISH = text(
    "SELECT app.map_publish(:channel, :key, CAST(:data AS jsonb), :score, CAST(:tags AS jsonb), :idempotency_key, "
    ":key_mode, :version, :version_epoch, :key_ttl)"
)
_MAP_REMOVE = text("SELECT app.map_remove(:channel, :key, :idempotency_key)")

MAX_CHANNEL_BYTES = 255
MAX_KEY_BYTES = 255

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""NUL in JSON text; a written-out backslash before `u0000` is none."""


async def publish(
    session: AsyncSession,
    channel: str,
    data: Any,
    *,
    tags: Mapping[str, str] | None = None,
    idempotency_key: str = "",
    exclude_clients: Sequence[str] = (),
    exclude_users: Sequence[str] = (),
    version: int = 0,
    version_epoch: str = "",
) -> int:
    """Queue a publication that goes out when this transaction commits, after all that committed before it.

    `data` is anything JSON can express. The same `idempotency_key` on the same channel within five minutes publishes
    once. Connections and users that are excluded do not get it. With a `version` it is dropped unless that is greater
    than the channel's last one, or of another `version_epoch`. Returns the outbox row's id. Raises InvalidInput for
    what Postgres cannot store (NUL characters), for a channel without a usable name and for a negative version.
    """
    values = {
        "data": _json(channel, data),
        "tags": _json(channel, dict(tags)) if tags else None,
        "exclude_clients": list(exclude_clients),
        "exclude_users": list(exclude_users),
        **_version(channel, version, version_epoch),
    }
    return await _queue(session, _PUBLISH, channel, idempotency_key, **values)


async def replace_publication(session: AsyncSession, channel: str, replaced: int, data: Any) -> int:
    """Publish, and let `data` take the place of what an earlier publication of the channel said, offset and all.

    `replaced` is what `publish` returned for that one, in an earlier transaction or in this one. Subscribers hear of it
    by this publication, whoever recovers or reads history finds `data` twice. In a memory channel, the last 10,000
    publications of transactions can be replaced, until its shard restarts; what is not there any more is not replaced,
    and this is published all the same. Returns the outbox row's id. Raises InvalidInput like `publish`.
    """
    return await _queue(session, _REPLACE, channel, "", replaced=replaced, data=_json(channel, data))


async def map_publish(
    session: AsyncSession,
    channel: str,
    key: str,
    data: Any,
    *,
    score: int = 0,
    tags: Mapping[str, str] | None = None,
    idempotency_key: str = "",
    key_mode: Literal["", "if_new", "if_exists"] = "",
    version: int = 0,
    version_epoch: str = "",
    key_ttl_s: int = 0,
) -> int:
    """Set a key of a map when this transaction commits. Otherwise like `publish`; raises InvalidInput for a bad key.

    `version` is the key's; `key_ttl_s` is for maps that are not persistent. The map's owner decides once all of it has
    committed: a change that does not meet its condition, or goes beyond a limit of the map, is dropped then.
    """
    if key_ttl_s < 0:
        raise InvalidInput("key_ttl_s is not negative.", details={"channel": channel, "key": key})
    values = {
        "data": _json(channel, data),
        "tags": _json(channel, dict(tags)) if tags else None,
        "score": score,
        "key_mode": key_mode,
        "key_ttl": key_ttl_s,
        **_version(channel, version, version_epoch),
    }
    return await _queue(session, _MAP_PUBLISH, channel, idempotency_key, key=_key(channel, key), **values)


async def map_remove(session: AsyncSession, channel: str, key: str, *, idempotency_key: str = "") -> int:
    """Remove a key of a map when this transaction commits."""
    return await _queue(session, _MAP_REMOVE, channel, idempotency_key, key=_key(channel, key))


async def _queue(
    session: AsyncSession, statement: TextClause, channel: str, idempotency_key: str, **values: Any
) -> int:
    if not 1 <= len(channel.encode("utf-8", "replace")) <= MAX_CHANNEL_BYTES or "\0" in channel + idempotency_key:
        raise InvalidInput("A channel name has 1 to 255 bytes.", details={"channel": channel})
    row = await session.execute(statement, {"channel": channel, "idempotency_key": idempotency_key, **values})
    record_effect(session, PublicationsQueued((channel,)))
    return int(row.scalar_one())


def _json(channel: str, value: Any) -> str:
    encoded = orjson.dumps(value)
    if _ESCAPED_NUL.search(encoded):
        raise InvalidInput("A publication cannot contain NUL characters.", details={"channel": channel})
    return encoded.decode()


def _version(channel: str, version: int, version_epoch: str) -> dict[str, Any]:
    if not 0 <= version < 2**63:
        raise InvalidInput("A version is a whole number below 2^63.", details={"channel": channel})
    return {"version": version, "version_epoch": version_epoch}


def _key(channel: str, key: str) -> str:
    if not 1 <= len(key.encode("utf-8", "replace")) <= MAX_KEY_BYTES or "\0" in key:
        raise InvalidInput(f"A key has 1 to {MAX_KEY_BYTES} bytes.", details={"channel": channel, "key": key})
    return key


def send_to_user(session: AsyncSession, user_id: UUID | str, data: Any) -> None:
    """Send a message to every open connection of a user when this transaction commits, outside every channel.

    At most once, and not kept: for what matters to somebody who is away, `publish` to their personal channel. Equal
    messages of one transaction are one.
    """
    record_effect(session, UserMessaged(str(user_id), orjson.dumps(data)))
