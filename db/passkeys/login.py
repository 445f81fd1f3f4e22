"""Signing in with a passkey: no name, no password, no code, because a key that verifies its holder is both factors.

A signature cannot be guessed, so an account needs no window of failures for it, and nobody keeps its owner out by
failing; what an address gets wrong counts like wrong passwords (`db.auth.login`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from db.auth import login, repository
from db.auth.models import LoginAttempt, User, WebauthnCredential
from db.auth.networks import caller_network
from db.passkeys import ceremonies, challenges, service
from db.passkeys.ceremonies import NotVerified, Site
from db.passkeys.errors import PasskeyChallengeInvalid, PasskeyInvalid

METHODS: Final = ("passkey",)
"""How sessions and tokens name it (`amr`)."""

UNKNOWN: Final = "passkey"
"""Under which account failures are counted that belong to nobody."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why, for the trail; whoever asked is not told."""

    reason: str
    user_id: UUID | None = None
    row: WebauthnCredential | None = None


async def begin(session: AsyncSession, site: Site) -> dict[str, Any]:
    """Options for `navigator.credentials.get`; they are good for one answer to `sign_in`."""
    return ceremonies.ask_who(site, await challenges.issue(session, user_id=None), timeout_ms=challenges.LIFE_MS)


async def sign_in(
    session: AsyncSession, site: Site, credential: Mapping[str, Any], *, ip: str | None, failures_per_minute: int
) -> UUID:
    """Whose passkey answered; `credential` is an AuthenticationResponseJSON.

    Raises PasskeyChallengeInvalid, PasskeyInvalid (counted) and TooManyLoginAttempts.
    """
    network = caller_network(ip) if ip is not None else None
    await login.check_address(session, network, failures_per_minute)
    outcome = await _prove(session, site, credential)
    if isinstance(outcome, _Refusal):
        await _refuse(session, outcome, network=network)
        raise PasskeyInvalid
    user, row = outcome
    # As a right password is: where it was given is one of the account's own networks from now on.
    await _attempt(session, func.lower(user.email), user.id, network, succeeded=True)
    await login.succeeded(session, user.id, details={"passkey_id": str(row.id)})
    return user.id


async def _prove(
    session: AsyncSession, site: Site, credential: Mapping[str, Any]
) -> tuple[User, WebauthnCredential] | _Refusal:
    """Who signed, and with which passkey. Raises PasskeyChallengeInvalid."""
    try:
        challenge = ceremonies.challenge_in(credential)
        credential_id = ceremonies.credential_id_in(credential)
    except NotVerified as error:
        return _Refusal(str(error))
    if await challenges.spend(session, challenge, user_id=None) is None:
        raise PasskeyChallengeInvalid
    held = select(WebauthnCredential).where(WebauthnCredential.credential_id == credential_id).with_for_update()
    row = (await session.scalars(held)).one_or_none()
    if row is None:
        return _Refusal("unknown")
    try:
        found = ceremonies.verify_answer(site, credential, challenge, row.public_key)
        if ceremonies.user_in(credential) != row.user_id:
            return _Refusal("somebody else's", row.user_id)
    except NotVerified as error:
        return _Refusal(str(error), row.user_id)
    if found.backup_eligible != row.backup_eligible:
        return _Refusal("a property of the key changed", row.user_id)
    # Keys that may be synced are used by several devices, which count for themselves or not at all.
    counts = not row.backup_eligible and (found.sign_count > 0 or row.sign_count > 0)
    if counts and found.sign_count <= row.sign_count:
        return _Refusal(f"its counter went from {row.sign_count} to {found.sign_count}", row.user_id, row)
    user = await repository.live_user(session, row.user_id)
    if user is None or not user.is_active:
        return _Refusal("the account is disabled or removed", row.user_id)
    row.sign_count = found.sign_count
    row.backed_up = found.backed_up
    row.last_used_at = func.now()
    await session.flush()
    return user, row


async def _refuse(session: AsyncSession, refusal: _Refusal, *, network: str | None) -> None:
    """Count it, and write down why. A counter that went back is told to the owner: there may be a copy of the key."""
    await _attempt(session, UNKNOWN, refusal.user_id, network, succeeded=False)
    await audit.record(
        session,
        "login.passkey_failed",
        subject_type="user" if refusal.user_id is not None else "passkey",
        subject_id=refusal.user_id or "unknown",
        details={"reason": refusal.reason[:200]},
    )
    if refusal.row is not None:
        await service.tell(session, refusal.row, "copied", actor_id=None)


async def _attempt(
    session: AsyncSession,
    account: str | ColumnElement[str],
    user_id: UUID | None,
    network: str | None,
    *,
    succeeded: bool,
) -> None:
    values = {"account": account, "user_id": user_id, "ip": network, "succeeded": succeeded}
    await session.execute(insert(LoginAttempt).values(values))
