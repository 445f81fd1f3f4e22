"""The second factor of an account: an authenticator app, and recovery codes for the day it is lost.

Whoever checks a code holds the row of the app (`FOR UPDATE`), so a code is accepted once and guesses are counted one by
one however many requests come at the same time.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth import recovery_codes, totp
from db.auth.errors import (
    CodeRequired,
    SecondFactorDisabled,
    SecondFactorEnabled,
    TooManyLoginAttempts,
    WrongCode,
)
from db.auth.events import SecondFactorChange, SecondFactorChanged
from db.auth.models import LoginAttempt, LoginSession, TotpCredential
from db.auth.networks import caller_network
from db.auth.sealing import Sealer
from db.auth.sessions import revoke_all
from db.batches import BATCH, delete_batch

ENROLMENT_LIFE = timedelta(minutes=15)
"""A secret that was shown and not confirmed for this long is void."""

GUESSES: Final = 5
GUESS_WINDOW = timedelta(minutes=15)
"""Wrong codes of one account. Of a million codes three are right at any moment: 20 guesses an hour find one of them in
about two years, and their owner hears of it."""

Method = Literal["otp", "recovery_code"]
"""How a second factor was proven, as sessions and tokens name it (`amr`)."""

_TOTP_CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The state of an account's second factor."""

    enabled_at: datetime | None
    recovery_codes_left: int

    @property
    def enabled(self) -> bool:
        """Whether signing in asks for a code."""
        return self.enabled_at is not None


async def describe(session: AsyncSession, user_id: UUID) -> SecondFactor:
    """What the account has."""
    confirmed = select(TotpCredential.confirmed_at).where(TotpCredential.user_id == user_id)
    return SecondFactor(await session.scalar(confirmed), await recovery_codes.count_left(session, user_id))


async def is_enabled(session: AsyncSession, user_id: UUID) -> bool:
    """Whether signing in asks for a code."""
    confirmed = select(TotpCredential.confirmed_at).where(TotpCredential.user_id == user_id)
    return await session.scalar(confirmed) is not None


async def begin_enrolment(session: AsyncSession, sealer: Sealer, user_id: UUID) -> str:
    """A secret for an authenticator app, in base32; it counts once a code of it has come. Raises SecondFactorEnabled.

    Beginning again replaces the secret.
    """
    secret = totp.new_secret()
    sealed = sealer.seal(secret.encode(), _context(user_id))
    begun = pg_insert(TotpCredential).values(user_id=user_id, secret_encrypted=sealed)
    row = await session.execute(
        begun.on_conflict_do_update(
            index_elements=[TotpCredential.user_id],
            set_={"secret_encrypted": sealed, "last_used_step": None, "created_at": func.now()},
            where=TotpCredential.confirmed_at.is_(None),
        ).returning(TotpCredential.user_id)
    )
    if row.first() is None:
        raise SecondFactorEnabled
    return secret


async def confirm_enrolment(
    session: AsyncSession, sealer: Sealer, user_id: UUID, code: str, *, session_id: UUID | None, ip: str | None
) -> Sequence[str]:
    """Switch the app on, given a code of it. Returns the recovery codes, the only copy.

    All other login sessions end: they were opened without it. Raises WrongCode (counted), SecondFactorDisabled when no
    enrolment has been begun lately, SecondFactorEnabled, TooManyLoginAttempts.
    """
    row = await _locked(session, user_id)
    if row is not None and row.confirmed_at is not None:
        raise SecondFactorEnabled
    fresh = select(TotpCredential.created_at > func.now() - ENROLMENT_LIFE).where(TotpCredential.user_id == user_id)
    if row is None or not await session.scalar(fresh):
        raise SecondFactorDisabled
    await _refuse_guessing(session, user_id)
    if not await _use_totp(session, sealer, row, code):
        await _note(session, user_id, ip, succeeded=False)
        raise WrongCode
    row.confirmed_at = func.now()
    await session.flush()
    codes = await recovery_codes.replace(session, sealer, user_id)
    if session_id is not None:
        added = func.array_append(LoginSession.methods, "otp")
        await session.execute(update(LoginSession).where(LoginSession.id == session_id).values(methods=added))
    await revoke_all(session, user_id, except_session_id=session_id, reason="second_factor_enabled")
    await _tell(session, user_id, "enabled")
    return codes


async def require_code(
    session: AsyncSession, sealer: Sealer, user_id: UUID, code: str | None, *, ip: str | None
) -> None:
    """For a change that needs the second factor, where there is one. Raises CodeRequired, WrongCode (counted), …."""
    if not await is_enabled(session, user_id):
        return
    if not code:
        raise CodeRequired
    if await check_code(session, sealer, user_id, code, ip=ip) is None:
        raise WrongCode


async def check_code(
    session: AsyncSession, sealer: Sealer, user_id: UUID, code: str, *, ip: str | None
) -> Method | None:
    """Spend a code of the app or a recovery code. None: wrong, and counted (raise an error that `keeps_changes`).

    Raises TooManyLoginAttempts, and SecondFactorDisabled when there is no second factor.
    """
    row = await _locked(session, user_id)
    if row is None or row.confirmed_at is None:
        raise SecondFactorDisabled
    await _refuse_guessing(session, user_id)
    method: Method | None = None
    if _TOTP_CODE.fullmatch("".join(code.split())):
        method = "otp" if await _use_totp(session, sealer, row, code) else None
    elif await recovery_codes.use(session, sealer, user_id, code):
        method = "recovery_code"
        await _tell(session, user_id, "code_used")
    await _note(session, user_id, ip, succeeded=method is not None)
    if method is None and (await _failures(session, user_id))[0] >= GUESSES:
        await _tell(session, user_id, "guessed")
    return method


async def renew_recovery_codes(session: AsyncSession, sealer: Sealer, user_id: UUID) -> Sequence[str]:
    """New recovery codes; the old ones are void. Call after `require_code`. Raises SecondFactorDisabled."""
    if not await is_enabled(session, user_id):
        raise SecondFactorDisabled
    codes = await recovery_codes.replace(session, sealer, user_id)
    await _tell(session, user_id, "codes_renewed")
    return codes


async def disable(session: AsyncSession, user_id: UUID, *, actor_id: UUID) -> None:
    """Remove the app and the recovery codes. Raises SecondFactorDisabled.

    The owner comes here after `require_code`; an administrator (another `actor_id`) for somebody who has lost both.
    """
    gone = await session.execute(
        delete(TotpCredential)
        .where(TotpCredential.user_id == user_id, TotpCredential.confirmed_at.is_not(None))
        .returning(TotpCredential.user_id)
    )
    if gone.first() is None:
        raise SecondFactorDisabled
    await recovery_codes.remove(session, user_id)
    await _tell(session, user_id, "disabled" if actor_id == user_id else "removed", actor_id=actor_id)


async def prune_enrolments(session: AsyncSession, *, limit: int = BATCH) -> int:
    """Delete enrolments that were never confirmed, `limit` at most. Returns how many."""
    forgotten = "old.confirmed_at IS NULL AND old.created_at < now() - interval '1 day'"
    return await delete_batch(session, "auth.totp_credentials", forgotten, limit=limit)


def reseal(row: TotpCredential, sealer: Sealer) -> None:
    """Seal an app's secret under the newest key. Raises SealingUnavailable when its own is not configured."""
    secret = sealer.open(row.secret_encrypted, _context(row.user_id))
    row.secret_encrypted = sealer.seal(secret, _context(row.user_id))


async def _locked(session: AsyncSession, user_id: UUID) -> TotpCredential | None:
    wanted = select(TotpCredential).where(TotpCredential.user_id == user_id)
    fresh = wanted.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(fresh)).one_or_none()


async def _use_totp(session: AsyncSession, sealer: Sealer, row: TotpCredential, code: str) -> bool:
    secret = sealer.open(row.secret_encrypted, _context(row.user_id)).decode()
    # The database's clock: the only one that all processes share, so a step is used once everywhere.
    now = float(await session.scalar(select(func.extract("epoch", func.clock_timestamp()))) or 0)
    step = totp.matching_step(secret, "".join(code.split()), at=now, after=row.last_used_step)
    if step is None:
        return False
    row.last_used_step = step
    await session.flush()
    return True


def _account(user_id: UUID) -> str:
    """Under which name wrong codes are counted: apart from wrong passwords, because a right password clears those."""
    return f"code:{user_id}"


async def _note(session: AsyncSession, user_id: UUID, ip: str | None, *, succeeded: bool) -> None:
    """Write an attempt down."""
    await session.execute(
        insert(LoginAttempt).values(
            account=_account(user_id), user_id=user_id, ip=ip and caller_network(ip), succeeded=succeeded
        )
    )
    if not succeeded:
        await audit.record(session, "login.code_failed", subject_type="user", subject_id=user_id)


async def _refuse_guessing(session: AsyncSession, user_id: UUID) -> None:
    failures, wait_s = await _failures(session, user_id)
    if failures >= GUESSES:
        raise TooManyLoginAttempts("Too many wrong codes; wait a little.", retry_after_s=max(1.0, wait_s))


async def _failures(session: AsyncSession, user_id: UUID) -> tuple[int, float]:
    """Wrong codes of the window that came after the last right one, and the seconds until the oldest is forgotten."""
    mine = LoginAttempt.account == _account(user_id)
    last_success = select(func.max(LoginAttempt.id)).where(mine, LoginAttempt.succeeded.is_(True)).scalar_subquery()
    row = (
        await session.execute(
            select(
                func.count(),
                func.extract("epoch", func.min(LoginAttempt.at) + GUESS_WINDOW - func.clock_timestamp()),
            ).where(
                mine,
                LoginAttempt.succeeded.is_(False),
                LoginAttempt.at > func.clock_timestamp() - GUESS_WINDOW,
                LoginAttempt.id > func.coalesce(last_success, 0),
            )
        )
    ).one()
    return int(row[0]), float(row[1] or 0)


async def _tell(
    session: AsyncSession,
    user_id: UUID,
    change: SecondFactorChange,
    *,
    actor_id: UUID | None = None,
) -> None:
    """An audit row and a mail to the owner."""
    left = await recovery_codes.count_left(session, user_id)
    await audit.record(
        session,
        f"second_factor.{change}",
        subject_type="user",
        subject_id=user_id,
        actor_id=None if change == "guessed" else actor_id or user_id,
        details={"recovery_codes_left": left},
    )
    await events.record(session, SecondFactorChanged(user_id=user_id, change=change, codes_left=left))


def _context(user_id: UUID) -> str:
    return f"authenticator app of {user_id}"
