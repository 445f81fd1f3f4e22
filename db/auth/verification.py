"""Proving that an e-mail address is one's own, by following a link that was mailed to it."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth import one_time, repository
from db.auth.errors import EmailAlreadyVerified, LinkInvalid
from db.auth.events import VerificationRequested
from db.auth.models import OneTimeToken, User

MAILS_PER_HOUR = 5
MAIL_INTERVAL = timedelta(minutes=1)


async def request(session: AsyncSession, user_id: UUID) -> None:
    """Have the link mailed (again). Raises EmailAlreadyVerified, TooManyMails."""
    user = await _locked(session, user_id)
    if user.is_verified:
        raise EmailAlreadyVerified
    await one_time.refuse_too_many(
        session, user_id, one_time.VERIFY_EMAIL, per_hour=MAILS_PER_HOUR, interval=MAIL_INTERVAL
    )
    await ask(session, user)


async def ask(session: AsyncSession, user: User) -> None:
    """Have the link mailed, without a limit: the address is new."""
    token_id = await one_time.reserve(session, user.id, one_time.VERIFY_EMAIL, {"email": user.email})
    await events.record(session, VerificationRequested(user_id=user.id, token_id=token_id))


async def issue(session: AsyncSession, user: User) -> str:
    """A token for the link in a mail that is being written now."""
    return await one_time.issue(session, user.id, one_time.VERIFY_EMAIL, {"email": user.email})


async def arm(session: AsyncSession, token_id: UUID) -> tuple[User, str] | None:
    """Whom to mail which token; None when there is nothing to verify any more."""
    token = await session.get(OneTimeToken, token_id)
    user = await repository.live_user(session, token.user_id) if token is not None else None
    if token is None or user is None or user.is_verified or not one_time.is_for(token, user):
        return None
    text = await one_time.arm(session, token_id)
    return (user, text) if text is not None else None


async def verify(session: AsyncSession, text: str) -> User:
    """Follow a link. Raises LinkInvalid.

    Following it a second time changes nothing, and is answered like the first while the address is verified: programs
    that look through mail open links before people do.
    """
    token = await one_time.find(session, text, one_time.VERIFY_EMAIL, lock=True)
    if token is None:
        raise LinkInvalid(field="token")
    user = await repository.live_user(session, token.user_id)
    if user is None or not user.is_active or not one_time.is_for(token, user):
        raise LinkInvalid(field="token")
    if user.is_verified:
        return user
    if token.used_at is not None:
        raise LinkInvalid(field="token")
    await one_time.use(session, token)
    user.is_verified = True
    await session.flush()
    await audit.record(session, "email.verified", subject_type="user", subject_id=user.id, actor_id=user.id)
    return user


async def _locked(session: AsyncSession, user_id: UUID) -> User:
    wanted = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(wanted)).one()
