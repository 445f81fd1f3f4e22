"""Answer a repeated request with the first answer. The answer commits together with what it reports."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch
from db.idempotency.errors import KeyReused, RequestInProgress
from db.idempotency.models import IdempotencyKey

LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What was answered the first time."""

    status_code: int
    headers: dict[str, str]
    body: bytes


async def find_answer(
    session: AsyncSession, *, principal: str, route: str, key: str, request_body: bytes
) -> StoredAnswer | None:
    """The first answer to this request; None when this is the first: it then holds the key while its transaction runs.

    Raises KeyReused for another body, RequestInProgress while the first is still at it.
    """
    lock = hashlib.sha256("\0".join((principal, route, key)).encode()).digest()
    free = await session.scalar(
        text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": int.from_bytes(lock[:8], "big", signed=True)}
    )
    if not free:
        raise RequestInProgress
    row = (
        await session.scalars(
            select(IdempotencyKey).where(
                IdempotencyKey.principal == principal,
                IdempotencyKey.route == route,
                IdempotencyKey.key == key,
                IdempotencyKey.expires_at > func.now(),
            )
        )
    ).one_or_none()
    if row is None:
        return None
    if row.fingerprint != _fingerprint(request_body):
        raise KeyReused(field="Idempotency-Key")
    return StoredAnswer(row.status_code, {name: str(value) for name, value in row.headers.items()}, row.body)


async def store_answer(
    session: AsyncSession,
    *,
    principal: str,
    route: str,
    key: str,
    request_body: bytes,
    status_code: int,
    body: bytes,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Remember the answer for a day. Call it after `find_answer` returned None, in the same transaction."""
    values = {
        "fingerprint": _fingerprint(request_body),
        "status_code": status_code,
        "headers": dict(headers or {}),
        "body": body,
        "created_at": func.now(),
        "expires_at": func.now() + LIFETIME,
    }
    await session.execute(
        insert(IdempotencyKey)
        .values(principal=principal, route=route, key=key, **values)
        .on_conflict_do_update(  # an expired one that nobody has pruned yet
            index_elements=[IdempotencyKey.principal, IdempotencyKey.route, IdempotencyKey.key], set_=values
        )
    )


async def prune(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Delete expired keys, `limit` at most; returns how many."""
    return await delete_batch(
        session, "app.idempotency_keys", "old.expires_at <= now()", limit=limit, oldest="expires_at"
    )


def _fingerprint(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
