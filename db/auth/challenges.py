"""Signing in with a second factor: the password earns a challenge, the challenge and a code earn a session."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import login, one_time, repository, second_factor
from db.auth.errors import LoginChallengeInvalid, LoginCodeInvalid, SecondFactorDisabled
from db.auth.sealing import Sealer

MAX_ANSWERS = 5
"""Wrong answers to one challenge; after that the password is asked again."""


@dataclass(frozen=True, slots=True)
class LoginChallenge:
    """What a right password earns when there is a second factor. `text` is the only copy."""

    text: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class ProvenLogin:
    """Who has given both factors, and how (`amr`)."""

    user_id: UUID
    methods: tuple[str, ...]


async def challenge(session: AsyncSession, user_id: UUID) -> LoginChallenge | None:
    """A challenge for somebody whose password was right; None when the account has no second factor."""
    if not await second_factor.is_enabled(session, user_id):
        return None
    secret = await one_time.issue(session, user_id, one_time.LOGIN_CHALLENGE, {"answers": 0})
    return LoginChallenge(secret, int(one_time.LIFETIMES[one_time.LOGIN_CHALLENGE].total_seconds()))


async def answer(session: AsyncSession, sealer: Sealer, text: str, code: str, *, ip: str | None) -> ProvenLogin:
    """Spend a challenge with a code of the authenticator app, or a recovery code.

    Raises LoginChallengeInvalid, LoginCodeInvalid (the challenge goes on, the failure is counted) and
    TooManyLoginAttempts.
    """
    token = await one_time.find(session, text, one_time.LOGIN_CHALLENGE, lock=True)
    if token is None or token.used_at is not None or token.payload["answers"] >= MAX_ANSWERS:
        raise LoginChallengeInvalid
    user = await repository.live_user(session, token.user_id)
    # A password that changed meanwhile is not the one that earned the challenge.
    if user is None or not user.is_active or user.password_changed_at > token.created_at:
        raise LoginChallengeInvalid
    try:
        method = await second_factor.check_code(session, sealer, user.id, code, ip=ip)
    except SecondFactorDisabled as error:
        raise LoginChallengeInvalid from error
    if method is None:
        token.payload = {"answers": token.payload["answers"] + 1}
        await session.flush()
        raise LoginCodeInvalid
    await one_time.use(session, token)
    await login.succeeded(session, user.id, details={"second_factor": method})
    return ProvenLogin(user.id, ("pwd", method))
