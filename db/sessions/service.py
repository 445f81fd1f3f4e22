"""Revoking realtime tokens: one by its id, or a user's by when they were issued; blocking users, whatever they have.

The row is the truth: a connection is checked against it before it lives. The recorded effect makes the session shards
close what is open, within a second.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.batches import BATCH, delete_batch
from db.effects import TokensRevoked, UserBlocked
from db.errors import InvalidInput
from db.session import record_effect
from db.sessions.models import TokenRevocation
from db.sessions.revocations import scope

DEFAULT_LIFE: Final = timedelta(days=31)
"""How long a revocation is kept when nobody says until when the tokens live."""

FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""When a block ends that nobody gave an end."""

MAX_LENGTH: Final = 512


async def revoke_token(session: AsyncSession, token_id: str, *, expire_at: datetime | None = None) -> None:
    """Refuse the token with this `jti` from now on, and end what it opened: a connection with 3503, a subscription with
    2000.

    `expire_at`: when the token expires by itself. Raises InvalidInput for an empty or overlong id.
    """
    _check("token", token_id)
    await _write(session, "token", token_id, None, expire_at)
    record_effect(session, TokensRevoked(token_id=token_id))


async def invalidate_user_tokens(
    session: AsyncSession,
    user: str,
    *,
    channel: str = "",
    issued_before: datetime | None = None,
    expire_at: datetime | None = None,
) -> None:
    """Refuse the user's tokens issued before then (default: now), and end what they opened: connections with 3503,
    subscriptions with 2000. `channel`: only the user's subscription tokens for this channel.

    A token that does not say when it was issued counts as issued before. Raises InvalidInput for an empty or overlong
    user.
    """
    _check("user", user)
    subject = scope(user, channel) if channel else user
    _check("user and channel", subject)
    floor = issued_before or datetime.now(UTC)
    await _write(session, "user", subject, floor, expire_at)
    until_ms = int(floor.timestamp() * 1000)
    record_effect(session, TokensRevoked(user=user, issued_before_ms=until_ms, channel=channel))


async def block_user(session: AsyncSession, user: str, *, expire_at: datetime | None = None) -> None:
    """Refuse every connection of this user until then, or until `unblock_user`, and close open ones with 3503.

    A later call sets another end. Raises InvalidInput for an empty or overlong user, or an end in the past.
    """
    _check("user", user)
    until = expire_at or FOR_EVER
    if until <= datetime.now(UTC):
        raise InvalidInput("expire_at is in the past")
    row = insert(TokenRevocation).values(kind="block", subject=user, issued_before=None, expire_at=until)
    await session.execute(
        row.on_conflict_do_update(index_elements=["kind", "subject"], set_={"expire_at": row.excluded.expire_at})
    )
    record_effect(session, UserBlocked(user, int(until.timestamp() * 1000)))


async def unblock_user(session: AsyncSession, user: str) -> None:
    """Let the user in again. Nothing happens when they are not blocked. Raises InvalidInput as `block_user` does."""
    _check("user", user)
    is_theirs = (TokenRevocation.kind == "block") & (TokenRevocation.subject == user)
    await session.execute(delete(TokenRevocation).where(is_theirs))
    record_effect(session, UserBlocked(user, 0))


async def prune(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Forget revocations of tokens that have expired by themselves, and blocks that are over, `limit` at most.

    Returns how many.
    """
    return await delete_batch(
        session, "auth.token_revocations", "old.expire_at <= now()", limit=limit, oldest="expire_at"
    )


async def _write(
    session: AsyncSession, kind: str, subject: str, issued_before: datetime | None, expire_at: datetime | None
) -> None:
    until = expire_at or datetime.now(UTC) + DEFAULT_LIFE
    row = insert(TokenRevocation).values(kind=kind, subject=subject, issued_before=issued_before, expire_at=until)
    # A revocation only ever grows: a later call does not bring back what an earlier one has taken.
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["kind", "subject"],
            set_={
                "issued_before": func.greatest(TokenRevocation.issued_before, row.excluded.issued_before),
                "expire_at": func.greatest(TokenRevocation.expire_at, row.excluded.expire_at),
            },
        )
    )


def _check(name: str, value: str) -> None:
    if not 0 < len(value) <= MAX_LENGTH:
        raise InvalidInput(f"{name} must have 1 to {MAX_LENGTH} characters")
