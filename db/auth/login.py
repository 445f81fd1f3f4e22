"""Signing in with a password: attempts are counted, and hashing never happens inside a transaction."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from db.auth import repository
from db.auth.errors import InvalidCredentials, TooManyLoginAttempts
from db.auth.hashing import PasswordHasher
from db.auth.models import LoginAttempt, User
from db.session import Database

ATTEMPT_WINDOW = timedelta(minutes=1)

ADDRESS_FACTOR = 3
"""An address may fail this many times as often as an account: offices share one."""


@dataclass(frozen=True, slots=True)
class LoginCandidate:
    """Whose password to check. `password_hash` is None when there is no such account: check it all the same."""

    account: str
    user_id: UUID | None
    password_hash: str | None
    ip: str | None


async def authenticate(
    database: Database,
    hasher: PasswordHasher,
    *,
    email: str,
    password: str,
    ip: str | None = None,
    failures_per_minute: int = 10,
) -> UUID:
    """Check a password and return the user's id; two short transactions with the hashing between them.

    Raises InvalidCredentials (same answer and time whether or not the account exists) and TooManyLoginAttempts.
    """
    async with database.transaction() as session:
        candidate = await find_candidate(session, email=email, ip=ip, failures_per_minute=failures_per_minute)
    correct = await hasher.verify(password, candidate.password_hash)
    new_hash = None
    if correct and candidate.password_hash is not None and hasher.needs_rehash(candidate.password_hash):
        new_hash = await hasher.hash(password)
    async with database.transaction(acting_user_id=candidate.user_id if correct else None) as session:
        user = await conclude(session, candidate, correct=correct, new_hash=new_hash)
    return user.id


async def find_candidate(
    session: AsyncSession, *, email: str, ip: str | None, failures_per_minute: int
) -> LoginCandidate:
    """First half: refuse those who must wait, else say which hash to compare with. Raises TooManyLoginAttempts."""
    account = email.strip().lower()[:255]
    await _check_failures(session, LoginAttempt.account == account, failures_per_minute)
    if ip is not None:
        await _check_failures(session, LoginAttempt.ip == ip, failures_per_minute * ADDRESS_FACTOR)
    user = await repository.user_by_email(session, account)
    if user is None or not user.is_active:
        return LoginCandidate(account, user.id if user else None, None, ip)
    return LoginCandidate(account, user.id, user.password_hash, ip)


async def conclude(
    session: AsyncSession, candidate: LoginCandidate, *, correct: bool, new_hash: str | None = None
) -> User:
    """Second half: write the attempt down. Raises InvalidCredentials, and the failed attempt stays counted."""
    user = await repository.live_user(session, candidate.user_id) if candidate.user_id is not None else None
    # Asked again: the account may have been disabled, or its password changed, while the hash was computed.
    good = correct and user is not None and user.is_active and user.password_hash == candidate.password_hash
    await session.execute(
        insert(LoginAttempt).values(
            account=candidate.account, user_id=candidate.user_id, ip=candidate.ip, succeeded=good
        )
    )
    await audit.record(
        session,
        "login.succeeded" if good else "login.failed",
        subject_type="user",
        subject_id=candidate.user_id or candidate.account,
        actor_id=candidate.user_id if good else None,
        ip=candidate.ip,
    )
    if not good or user is None:
        raise InvalidCredentials
    changes: dict[str, object] = {"last_login_at": func.now()}
    if new_hash is not None:
        changes["password_hash"] = new_hash
    # Not through the ORM: signing in is no edit of the account, so its version (ETag) stays.
    await session.execute(
        update(User).where(User.id == user.id).values(changes).execution_options(synchronize_session=False)
    )
    await session.refresh(user)
    return user


async def prune_attempts(session: AsyncSession, *, older_than_days: int) -> int:
    """Forget old attempts; returns how many."""
    gone = await session.execute(
        delete(LoginAttempt)
        .where(LoginAttempt.at < func.now() - timedelta(days=older_than_days))
        .returning(LoginAttempt.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def _check_failures(session: AsyncSession, whose: ColumnElement[bool], limit: int) -> None:
    """Refuse when the newest `limit` attempts of the last minute all failed, until the oldest is a minute old."""
    if limit <= 0:
        return
    newest = (
        select(LoginAttempt.succeeded, LoginAttempt.at)
        .where(whose, LoginAttempt.at > func.clock_timestamp() - ATTEMPT_WINDOW)
        .order_by(LoginAttempt.at.desc())
        .limit(limit)
        .subquery()
    )
    row = (
        await session.execute(
            select(
                func.count(),
                func.bool_or(newest.c.succeeded),
                func.extract("epoch", func.min(newest.c.at) + ATTEMPT_WINDOW - func.clock_timestamp()),
            )
        )
    ).one()
    if row[0] >= limit and not row[1]:
        raise TooManyLoginAttempts(retry_after_s=max(1.0, float(row[2])))
