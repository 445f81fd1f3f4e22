"""Login sessions and their refresh families: open, rotate, list, revoke."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth import credentials, repository
from db.auth.errors import RefreshTokenInvalid, RefreshTokenReused, SessionNotFound
from db.auth.events import RefreshReuseDetected
from db.auth.models import LoginSession, RefreshToken, User
from db.batches import BATCH, delete_batch
from db.effects import SessionsRevoked
from db.session import record_effect

GRACE = timedelta(seconds=10)
"""A refresh token that was just used answers its child once more: two tabs, or an answer that got lost."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A live login session with the refresh token to hand out."""

    session: LoginSession
    user: User
    refresh_token: str
    refresh_expires_at: datetime


async def open_session(
    session: AsyncSession,
    user_id: UUID,
    *,
    ip: str | None = None,
    user_agent: str | None = None,
    idle_days: int = 7,
    absolute_days: int = 30,
    methods: Sequence[str] = ("pwd",),
) -> OpenSession:
    """Sign a user in on one device. Raises RefreshTokenInvalid when the account has ended meanwhile."""
    user = await repository.live_user(session, user_id)
    if user is None or not user.is_active:
        raise RefreshTokenInvalid
    now = await _now(session)
    login = LoginSession(
        user_id=user_id,
        ip=ip,
        user_agent=(user_agent or "")[:400] or None,
        absolute_expires_at=now + timedelta(days=absolute_days),
        methods=list(methods),
    )
    session.add(login)
    await session.flush()
    secret = credentials.new_refresh_token()
    expires_at = min(now + timedelta(days=idle_days), login.absolute_expires_at)
    session.add(
        RefreshToken(session_id=login.id, token_sha256=credentials.sha256(secret), expires_at=expires_at, ip=ip)
    )
    await session.flush()
    return OpenSession(login, user, secret, expires_at)


async def rotate_refresh(
    session: AsyncSession, token: str, *, idle_days: int = 7, ip: str | None = None, user_agent: str | None = None
) -> OpenSession:
    """Exchange a refresh token for its successor.

    A token works once. Within GRACE of its use it answers the same successor again; after that its whole family is
    revoked, whichever descendant is newest. Raises RefreshTokenInvalid, RefreshTokenReused (and the revocation stays).
    """
    digest = credentials.sha256(token)
    child_id, nonce = uuid4(), credentials.new_nonce()
    used = (
        await session.execute(
            update(RefreshToken)
            .where(
                RefreshToken.token_sha256 == digest,
                RefreshToken.used_at.is_(None),
                RefreshToken.expires_at > func.now(),
                RefreshToken.session_id == LoginSession.id,
                LoginSession.revoked_at.is_(None),
                LoginSession.absolute_expires_at > func.now(),
            )
            # Its own nonce is spent: from here on only its hash is left.
            .values(used_at=func.clock_timestamp(), replaced_by=child_id, derivation_nonce=None)
            .returning(RefreshToken.id, RefreshToken.session_id)
            .execution_options(synchronize_session=False)
        )
    ).one_or_none()
    if used is None:
        return await _answer_again(session, token, digest, ip)
    login, user = await _family(session, used.session_id)
    now = await _now(session)
    child = credentials.child_refresh_token(token, nonce)
    expires_at = min(now + timedelta(days=idle_days), login.absolute_expires_at)
    session.add(
        RefreshToken(
            id=child_id,
            session_id=login.id,
            parent_id=used.id,
            token_sha256=credentials.sha256(child),
            derivation_nonce=nonce,
            expires_at=expires_at,
            ip=ip,
        )
    )
    login.last_seen_at = now
    login.ip = ip or login.ip
    login.user_agent = (user_agent or "")[:400] or login.user_agent
    await session.flush()
    return OpenSession(login, user, child, expires_at)


async def list_sessions(session: AsyncSession, user_id: UUID) -> Sequence[LoginSession]:
    """Where the user is signed in, the most recently seen first."""
    return await repository.live_sessions(session, user_id)


async def revoke_session(
    session: AsyncSession,
    user_id: UUID,
    session_id: UUID,
    *,
    reason: str = "logout",
    actor_id: UUID | None = None,
) -> None:
    """End one of the user's sessions: its refresh tokens die, its sockets are closed. Raises SessionNotFound."""
    ended = await session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.user_id == user_id, LoginSession.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_reason=reason)
        .returning(LoginSession.id)
    )
    if ended.first() is None:
        raise SessionNotFound
    record_effect(session, SessionsRevoked(user_id, session_id))
    await audit.record(
        session,
        "session.revoked",
        subject_type="session",
        subject_id=session_id,
        actor_id=actor_id or user_id,
        details={"reason": reason},
    )


async def revoke_all(
    session: AsyncSession,
    user_id: UUID,
    *,
    except_session_id: UUID | None = None,
    reason: str = "logout_everywhere",
    actor_id: UUID | None = None,
) -> int:
    """End all sessions of a user, or all but one. Returns how many ended.

    Without an exception, access tokens issued until now are void too (`tokens_valid_after`).
    """
    ended = (
        await session.scalars(
            update(LoginSession)
            .where(
                LoginSession.user_id == user_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.id != except_session_id if except_session_id is not None else text("true"),
            )
            .values(revoked_at=func.now(), revoked_reason=reason)
            .returning(LoginSession.id)
            .execution_options(synchronize_session=False)
        )
    ).all()
    if except_session_id is None:
        await session.execute(
            update(User)
            .where(User.id == user_id)
            .values(tokens_valid_after=func.clock_timestamp(), version=User.version + 1)
            .execution_options(synchronize_session=False)
        )
        record_effect(session, SessionsRevoked(user_id))
    else:
        for session_id in ended:
            record_effect(session, SessionsRevoked(user_id, session_id))
    await audit.record(
        session,
        "session.revoked_all",
        subject_type="user",
        subject_id=user_id,
        actor_id=actor_id or user_id,
        details={"reason": reason, "sessions": len(ended)},
    )
    return len(ended)


async def touch_session(session: AsyncSession, session_id: UUID) -> None:
    """Note that the session is in use; at most once a minute, so that reads do not become writes."""
    await session.execute(
        update(LoginSession)
        .where(LoginSession.id == session_id, LoginSession.last_seen_at < func.now() - timedelta(minutes=1))
        .values(last_seen_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def prune_sessions(session: AsyncSession, *, keep_days: int = 30, limit: int = BATCH) -> int:
    """Delete sessions that ended more than `keep_days` ago, and before each its refresh tokens: `limit` rows of either.

    Returns how many rows. A session that was refreshed for a month has thousands of tokens, so a cascade has no bound.
    """
    ended = "least({0}.revoked_at, {0}.absolute_expires_at) < now() - make_interval(days => :days)"
    of_ended = f"EXISTS (SELECT FROM auth.sessions s WHERE s.id = old.session_id AND {ended.format('s')})"
    tokens = await delete_batch(session, "auth.refresh_tokens", of_ended, limit=limit, days=keep_days)
    emptied = "NOT EXISTS (SELECT FROM auth.refresh_tokens t WHERE t.session_id = old.id)"
    where = f"{ended.format('old')} AND {emptied}"
    return tokens + await delete_batch(session, "auth.sessions", where, limit=limit, days=keep_days)


async def _answer_again(session: AsyncSession, token: str, digest: bytes, ip: str | None) -> OpenSession:
    """A token that could not be used: the same child within the grace period, else refuse, and revoke when copied."""
    row = (
        await session.execute(
            select(RefreshToken, (func.clock_timestamp() - RefreshToken.used_at) <= GRACE).where(
                RefreshToken.token_sha256 == digest
            )
        )
    ).one_or_none()
    if row is None or row[0].used_at is None:
        raise RefreshTokenInvalid
    parent, in_grace = row
    login = await repository.live_session(session, parent.session_id)
    if login is None:
        raise RefreshTokenInvalid
    login, user = await _family(session, login.id)
    if in_grace:
        child = await session.get(RefreshToken, parent.replaced_by) if parent.replaced_by is not None else None
        if child is not None and child.derivation_nonce is not None:
            secret = credentials.child_refresh_token(token, child.derivation_nonce)
            return OpenSession(login, user, secret, child.expires_at)
        # The child was used too, so this browser has long had it: nothing to hand out, and nothing suspicious yet.
        raise RefreshTokenInvalid
    await revoke_session(session, user.id, login.id, reason="refresh_reuse")
    await events.record(session, RefreshReuseDetected(user_id=user.id, session_id=login.id, ip=ip))
    raise RefreshTokenReused


async def _family(session: AsyncSession, session_id: UUID) -> tuple[LoginSession, User]:
    """The session and its live owner. Raises RefreshTokenInvalid."""
    login = await session.get_one(LoginSession, session_id)
    user = await repository.live_user(session, login.user_id)
    if user is None or not user.is_active:
        raise RefreshTokenInvalid
    return login, user


async def _now(session: AsyncSession) -> datetime:
    """The database's clock: the only one that all processes share."""
    now: datetime = (await session.execute(select(func.now()))).scalar_one()
    return now
