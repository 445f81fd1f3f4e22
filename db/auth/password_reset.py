"""A new password for somebody who forgot theirs, by a link that was mailed to their address."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.audit.callers import CALLER
from db.auth import one_time, repository
from db.auth.errors import LinkInvalid
from db.auth.events import PasswordResetRequested
from db.auth.models import OneTimeToken, User

LINKS_PER_HOUR = 3
"""Per account; beyond it nothing is mailed, and the answer is the same. The links of the hour still work."""


@dataclass(frozen=True, slots=True)
class ResetLink:
    """Whom to mail which token."""

    user: User
    text: str


async def request(session: AsyncSession, email: str) -> None:
    """Take note of it, whether or not there is such an account.

    What follows happens in a job, so that neither answer nor time says which.
    """
    caller = CALLER.get()
    event = PasswordResetRequested(email=email.strip()[:255], ip=caller.ip, request_id=caller.request_id)
    await events.record(session, event)


async def begin(session: AsyncSession, email: str) -> ResetLink | None:
    """Issue a link; None when there is no such account, or too many links are on their way."""
    wanted = (
        select(User)
        .where(func.lower(User.email) == func.lower(email), User.deleted_at.is_(None), User.is_active)
        .with_for_update()
    )
    user = (await session.scalars(wanted)).one_or_none()
    if user is None or await one_time.count_recent(session, user.id, one_time.RESET_PASSWORD) >= LINKS_PER_HOUR:
        return None
    text = await one_time.issue(session, user.id, one_time.RESET_PASSWORD, {"email": user.email})
    await audit.record(session, "password.reset_requested", subject_type="user", subject_id=user.id)
    return ResetLink(user, text)


async def look(session: AsyncSession, text: str) -> User:
    """Whose link this is, without spending it. Raises LinkInvalid."""
    return (await _valid(session, text, lock=False))[1]


async def spend(session: AsyncSession, text: str) -> User:
    """Whose password may be replaced now, once. Raises LinkInvalid."""
    token, user = await _valid(session, text, lock=True)
    await one_time.use(session, token)
    await audit.record(session, "password.reset", subject_type="user", subject_id=user.id, actor_id=user.id)
    return user


async def _valid(session: AsyncSession, text: str, *, lock: bool) -> tuple[OneTimeToken, User]:
    token = await one_time.find(session, text, one_time.RESET_PASSWORD, lock=lock)
    if token is None or token.used_at is not None:
        raise LinkInvalid(field="token")
    user = await repository.live_user(session, token.user_id)
    # A link dies with the password that it was asked for, and with the address that it was sent to.
    if (
        user is None
        or not user.is_active
        or token.created_at <= user.password_changed_at
        or not one_time.is_for(token, user)
    ):
        raise LinkInvalid(field="token")
    return token, user
