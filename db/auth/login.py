"""Signing in with a password: attempts are counted, and hashing never happens inside a transaction.

An attempt is written down before its password is verified: guesses that run at the same time count for each other.

An account has three windows of failures, so that nobody can use up its owner's: one for each network that it has signed
in from, one for all others, and one for confirmations, for which one must be signed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from db.auth import repository, second_factor
from db.auth.errors import InvalidCredentials, TooManyLoginAttempts
from db.auth.hashing import PasswordHasher
from db.auth.models import LoginAttempt, User
from db.auth.networks import caller_network
from db.batches import BATCH, delete_batch
from db.session import Database

ATTEMPT_WINDOW = timedelta(minutes=1)

ADDRESS_FACTOR = 3
"""An address may fail this many times as often as an account: offices share one."""

KNOWN_FOR = timedelta(days=30)
"""How long a network counts as one of the account's own after a right password. Attempts are not kept for longer."""

Purpose = Literal["sign_in", "confirmation"]
"""What the password is asked for: signing in, or a change by somebody who is signed in."""

_ACTIONS: dict[Purpose, tuple[str, str]] = {
    "sign_in": ("login.succeeded", "login.failed"),
    "confirmation": ("password.confirmed", "password.not_confirmed"),
}


@dataclass(frozen=True, slots=True)
class LoginCandidate:
    """Whose password to check. `password_hash` is None when there is no such account: check it all the same."""

    account: str
    user_id: UUID | None
    password_hash: str | None
    attempt_id: int
    purpose: Purpose = "sign_in"


async def authenticate(
    database: Database,
    hasher: PasswordHasher,
    *,
    email: str,
    password: str,
    ip: str | None = None,
    failures_per_minute: int = 10,
    purpose: Purpose = "sign_in",
) -> UUID:
    """Check a password and return the user's id; two short transactions with the hashing between them.

    Raises InvalidCredentials (same answer and time whether or not the account exists) and TooManyLoginAttempts.
    """
    async with database.transaction() as session:
        candidate = await find_candidate(
            session, email=email, ip=ip, failures_per_minute=failures_per_minute, purpose=purpose
        )
    correct = await hasher.verify(password, candidate.password_hash)
    new_hash = None
    if correct and candidate.password_hash is not None and hasher.needs_rehash(candidate.password_hash):
        new_hash = await hasher.hash(password)
    async with database.transaction(acting_user_id=candidate.user_id if correct else None) as session:
        user = await conclude(session, candidate, correct=correct, new_hash=new_hash)
    return user.id


async def find_candidate(
    session: AsyncSession, *, email: str, ip: str | None, failures_per_minute: int, purpose: Purpose = "sign_in"
) -> LoginCandidate:
    """First half: refuse those who must wait, else count the attempt and say which hash to compare with.

    Raises TooManyLoginAttempts.
    """
    lowered: str = (await session.execute(select(func.lower(email.strip())))).scalar_one()
    account = (lowered if purpose == "sign_in" else f"confirm:{lowered}")[:255]
    network = caller_network(ip) if ip is not None else None
    if failures_per_minute > 0:
        await _check_account(session, account, network, failures_per_minute)
    await check_address(session, network, failures_per_minute)
    user = await repository.user_by_email(session, email)
    attempt = insert(LoginAttempt).values(account=account, user_id=user.id if user else None, ip=network)
    attempt_id = (await session.execute(attempt.returning(LoginAttempt.id))).scalar_one()
    password_hash = user.password_hash if user is not None and user.is_active else None
    return LoginCandidate(account, user.id if user else None, password_hash, attempt_id, purpose)


async def conclude(
    session: AsyncSession, candidate: LoginCandidate, *, correct: bool, new_hash: str | None = None
) -> User:
    """Second half: write down how the attempt ended. Raises InvalidCredentials, and the failed one stays counted."""
    user = await repository.live_user(session, candidate.user_id) if candidate.user_id is not None else None
    # Asked again: the account may have been disabled, or its password changed, while the hash was computed.
    good = correct and user is not None and user.is_active and user.password_hash == candidate.password_hash
    await session.execute(
        update(LoginAttempt)
        .where(LoginAttempt.id == candidate.attempt_id)
        .values(succeeded=good)
        .execution_options(synchronize_session=False)
    )
    # With a second factor the password is half of it: db.auth.challenges writes down the other half.
    signs_in = candidate.purpose == "sign_in"
    half = good and user is not None and signs_in and await second_factor.is_enabled(session, user.id)
    succeeded, failed = _ACTIONS[candidate.purpose]
    await audit.record(
        session,
        ("login.password_accepted" if half else succeeded) if good else failed,
        subject_type="user",
        subject_id=candidate.user_id or candidate.account,
        actor_id=candidate.user_id if good else None,
    )
    if not good or user is None:
        raise InvalidCredentials
    changes: dict[str, object] = {"last_login_at": func.now()} if signs_in and not half else {}
    if new_hash is not None:
        changes["password_hash"] = new_hash
    if changes:
        # Not through the ORM: signing in is no edit of the account, so its version (ETag) stays.
        await session.execute(
            update(User).where(User.id == user.id).values(changes).execution_options(synchronize_session=False)
        )
        await session.refresh(user)
    return user


async def check_address(session: AsyncSession, network: str | None, failures_per_minute: int) -> None:
    """Refuse after many failures in the last minute, whatever succeeded between: guessers have accounts too.

    `network` is the `caller_network` of an address, None when there is none; no `failures_per_minute`: no limit. Until
    the attempt is committed no other one of the address is let in. Raises TooManyLoginAttempts.
    """
    if network is None or failures_per_minute <= 0:
        return
    await _one_at_a_time(session, f"login address {network}")
    failed = _recent(LoginAttempt.ip == network, LoginAttempt.succeeded.is_not(True))
    await _refuse_many(session, failed, failures_per_minute * ADDRESS_FACTOR)


async def succeeded(session: AsyncSession, user_id: UUID, *, details: Mapping[str, str]) -> None:
    """Write down that somebody signs in now, and by what (`details`), where the password was not the last word."""
    # Not through the ORM: signing in is no edit of the account, so its version (ETag) stays.
    now = update(User).where(User.id == user_id).values(last_login_at=func.now())
    await session.execute(now.execution_options(synchronize_session=False))
    await audit.record(
        session,
        "login.succeeded",
        subject_type="user",
        subject_id=user_id,
        actor_id=user_id,
        details=dict(details),
    )


async def prune_attempts(session: AsyncSession, *, older_than_days: int, limit: int = BATCH) -> int:
    """Forget old attempts, `limit` at most; returns how many."""
    where = "old.at < now() - make_interval(days => :days)"
    return await delete_batch(session, "auth.login_attempts", where, limit=limit, oldest="at", days=older_than_days)


async def _check_account(session: AsyncSession, account: str, network: str | None, limit: int) -> None:
    """Refuse when the newest `limit` attempts of the last minute all failed: its owner's success counts anew.

    From where the account has signed in lately only attempts from there count: strangers must not keep its owner out.
    """
    which = [LoginAttempt.account == account]
    key = f"login account {account}"
    if network is not None and await _is_known(session, account, network):
        which.append(LoginAttempt.ip == network)
        key += f" from {network}"
    await _one_at_a_time(session, key)
    await _refuse_many(session, _recent(*which), limit)


async def _is_known(session: AsyncSession, account: str, network: str) -> bool:
    success = select(LoginAttempt.id).where(
        LoginAttempt.account == account,
        LoginAttempt.ip == network,
        LoginAttempt.succeeded.is_(True),
        LoginAttempt.at > func.clock_timestamp() - KNOWN_FOR,
    )
    return await session.scalar(success.limit(1)) is not None


async def _one_at_a_time(session: AsyncSession, key: str) -> None:
    """Until the attempt is committed: else two could both be the last that is allowed. Account first, then address."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def _recent(*which: ColumnElement[bool]) -> Select[bool | None, datetime]:
    since = func.clock_timestamp() - ATTEMPT_WINDOW
    return (
        select(LoginAttempt.succeeded, LoginAttempt.at)
        .where(*which, LoginAttempt.at > since)
        .order_by(LoginAttempt.at.desc(), LoginAttempt.id.desc())
    )


async def _refuse_many(session: AsyncSession, attempts: Select[bool | None, datetime], limit: int) -> None:
    """Raise TooManyLoginAttempts when the newest `limit` of these are there and none has succeeded.

    Until the oldest of them is a minute old; soon, while some are still being verified.
    """
    newest = attempts.limit(limit).subquery()
    row = (
        await session.execute(
            select(
                func.count(),
                func.bool_or(newest.c.succeeded),
                func.bool_or(newest.c.succeeded.is_(None)),
                func.extract("epoch", func.min(newest.c.at) + ATTEMPT_WINDOW - func.clock_timestamp()),
            )
        )
    ).one()
    count, succeeded, undecided, remaining = row
    if count >= limit and not succeeded:
        raise TooManyLoginAttempts(retry_after_s=1.0 if undecided else max(1.0, float(remaining)))
