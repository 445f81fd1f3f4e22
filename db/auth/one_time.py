"""One-time tokens: what a mailed link carries, and the challenge between a password and its second factor.

Opaque, 256 random bits, stored as a hash. A token that is mailed is first reserved (the row that limits count), and
gets its secret only where its mail is written: so no event, job or log ever holds it.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import credentials
from db.auth.errors import TooManyMails
from db.auth.models import OneTimeToken, User
from db.batches import BATCH, delete_batch

PREFIX: Final = "mot_"

VERIFY_EMAIL: Final = "verify_email"
RESET_PASSWORD: Final = "reset_password"  # noqa: S105 - a purpose, not a secret
LOGIN_CHALLENGE: Final = "login_challenge"

LIFETIMES: Mapping[str, timedelta] = {
    VERIFY_EMAIL: timedelta(hours=24),
    RESET_PASSWORD: timedelta(minutes=30),
    LOGIN_CHALLENGE: timedelta(minutes=5),
}

LIMIT_WINDOW = timedelta(hours=1)


async def reserve(session: AsyncSession, user_id: UUID, purpose: str, payload: Mapping[str, Any]) -> UUID:
    """Make a token that nobody knows the secret of yet. Returns its id."""
    return await _insert(session, user_id, purpose, payload, _new_text())


async def arm(session: AsyncSession, token_id: UUID) -> str | None:
    """Give a reserved token its secret, and its whole life from now. None: it was used, or is gone."""
    purpose = await session.scalar(
        select(OneTimeToken.purpose).where(OneTimeToken.id == token_id, OneTimeToken.used_at.is_(None))
    )
    if purpose is None:
        return None
    secret = _new_text()
    await session.execute(
        update(OneTimeToken)
        .where(OneTimeToken.id == token_id)
        .values(token_sha256=credentials.sha256(secret), expires_at=_end(purpose))
        .execution_options(synchronize_session=False)
    )
    return secret


async def issue(session: AsyncSession, user_id: UUID, purpose: str, payload: Mapping[str, Any]) -> str:
    """Make a token. Returns its text, the only copy."""
    secret = _new_text()
    await _insert(session, user_id, purpose, payload, secret)
    return secret


async def find(session: AsyncSession, secret: str, purpose: str, *, lock: bool = False) -> OneTimeToken | None:
    """The token, used or not, unless its time is over. `lock`: nobody else uses it meanwhile."""
    statement = select(OneTimeToken).where(
        OneTimeToken.token_sha256 == credentials.sha256(secret),
        OneTimeToken.purpose == purpose,
        OneTimeToken.expires_at > func.clock_timestamp(),
    )
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(statement)).one_or_none()


async def use(session: AsyncSession, token: OneTimeToken) -> None:
    """Spend a token that was found with `lock`."""
    token.used_at = func.clock_timestamp()
    await session.flush()


async def count_recent(session: AsyncSession, user_id: UUID, purpose: str) -> int:
    """How many were made for this user in the last hour. Lock the user's row first to make it a limit."""
    count = select(func.count()).where(
        OneTimeToken.user_id == user_id,
        OneTimeToken.purpose == purpose,
        OneTimeToken.created_at > func.clock_timestamp() - LIMIT_WINDOW,
    )
    return int(await session.scalar(count) or 0)


async def refuse_too_many(
    session: AsyncSession, user_id: UUID, purpose: str, *, per_hour: int, interval: timedelta
) -> None:
    """Raise TooManyMails when the last one is younger than `interval`, or the hour's are used up."""
    made = OneTimeToken.created_at
    row = (
        await session.execute(
            select(
                func.count(),
                func.extract("epoch", func.max(made) + interval - func.clock_timestamp()),
                func.extract("epoch", func.min(made) + LIMIT_WINDOW - func.clock_timestamp()),
            ).where(
                OneTimeToken.user_id == user_id,
                OneTimeToken.purpose == purpose,
                made > func.clock_timestamp() - LIMIT_WINDOW,
            )
        )
    ).one()
    count, until_next, until_hour = row
    if count >= per_hour:
        raise TooManyMails(retry_after_s=max(1.0, float(until_hour)))
    if count and until_next > 0:
        raise TooManyMails(retry_after_s=max(1.0, float(until_next)))


async def prune(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Delete tokens whose time was over a day ago, `limit` at most. Returns how many."""
    return await delete_batch(session, "auth.one_time_tokens", "old.expires_at < now() - interval '1 day'", limit=limit)


def is_for(token: OneTimeToken, user: User) -> bool:
    """Whether the address that a mailed token went to is still the user's."""
    return bool(token.payload["email"].lower() == user.email.lower())


async def _insert(session: AsyncSession, user_id: UUID, purpose: str, payload: Mapping[str, Any], secret: str) -> UUID:
    values = {
        "user_id": user_id,
        "purpose": purpose,
        "payload": dict(payload),
        "token_sha256": credentials.sha256(secret),
        "expires_at": _end(purpose),
    }
    made: UUID = (await session.execute(insert(OneTimeToken).values(values).returning(OneTimeToken.id))).scalar_one()
    return made


def _new_text() -> str:
    return PREFIX + secrets.token_urlsafe(credentials.SECRET_BYTES)


def _end(purpose: str) -> Any:
    return func.clock_timestamp() + LIFETIMES[purpose]
