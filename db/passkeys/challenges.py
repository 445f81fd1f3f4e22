"""Challenges for authenticators to sign: 256 random bits, stored as a hash, good for one answer within minutes.

Rows, because the replica that hears the answer need not be the one that asked.
"""

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.credentials import SECRET_BYTES
from db.auth.models import WebauthnChallenge
from db.batches import BATCH, delete_batch

LIFE = timedelta(minutes=5)
"""Time to find the telephone, or to answer what the browser asks."""

LIFE_MS = int(LIFE.total_seconds() * 1000)


async def issue(session: AsyncSession, *, user_id: UUID | None) -> bytes:
    """A challenge, the only copy. `user_id`: who adds a passkey; None: for whoever signs in."""
    challenge = secrets.token_bytes(SECRET_BYTES)
    values = {
        "challenge_sha256": _digest(challenge),
        "user_id": user_id,
        "expires_at": func.clock_timestamp() + LIFE,
    }
    await session.execute(insert(WebauthnChallenge).values(values))
    return challenge


async def spend(session: AsyncSession, challenge: bytes, *, user_id: UUID | None) -> datetime | None:
    """When it was issued, for the same purpose to the same user; None: never, too long ago, or it was answered."""
    gone = await session.execute(
        delete(WebauthnChallenge)
        .where(
            WebauthnChallenge.challenge_sha256 == _digest(challenge),
            WebauthnChallenge.user_id.is_not_distinct_from(user_id),
            WebauthnChallenge.expires_at > func.clock_timestamp(),
        )
        .returning(WebauthnChallenge.created_at)
    )
    return gone.scalar_one_or_none()


async def prune(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Delete those that nobody answered in time, `limit` at most. Returns how many."""
    return await delete_batch(session, "auth.webauthn_challenges", "old.expires_at < now()", limit=limit)


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
