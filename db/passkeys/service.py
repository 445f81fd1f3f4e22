"""The passkeys of an account: list, add, rename, remove.

Whoever calls `begin` and `remove` has asked for the password, and for the second factor where there is one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth.models import User, WebauthnCredential
from db.passkeys import ceremonies, challenges
from db.passkeys.ceremonies import NotVerified, Site
from db.passkeys.errors import PasskeyNotFound, PasskeyRefused, PasskeySetupOver, PasskeyTaken, TooManyPasskeys
from db.passkeys.events import PasskeyChange, PasskeyChanged

MAX_PASSKEYS: Final = 10
"""Of one account: more than anybody has devices to sign in with."""

MAX_NAME: Final = 64
"""Characters of a passkey's name."""


async def list_passkeys(session: AsyncSession, user_id: UUID) -> Sequence[WebauthnCredential]:
    """The user's, in the order in which they were added."""
    mine = select(WebauthnCredential).where(WebauthnCredential.user_id == user_id)
    return (await session.scalars(mine.order_by(WebauthnCredential.created_at, WebauthnCredential.id))).all()


async def begin(session: AsyncSession, site: Site, user_id: UUID) -> dict[str, Any]:
    """Options for `navigator.credentials.create`; they are good for one answer to `add`. Raises TooManyPasskeys."""
    user = await _with_room(session, user_id)
    known = [row.credential_id for row in await list_passkeys(session, user_id)]
    return ceremonies.ask_for_key(
        site,
        await challenges.issue(session, user_id=user_id),
        user_id=user_id,
        account=user.email,
        person=user.full_name or user.username,
        known=known,
        timeout_ms=challenges.LIFE_MS,
    )


async def add(
    session: AsyncSession, site: Site, user_id: UUID, credential: Mapping[str, Any], *, name: str
) -> WebauthnCredential:
    """Keep the key that an authenticator made; `credential` is a RegistrationResponseJSON.

    Raises PasskeySetupOver, PasskeyRefused (and the challenge is spent), PasskeyTaken, TooManyPasskeys.
    """
    try:
        challenge = ceremonies.challenge_in(credential)
    except NotVerified as error:
        raise PasskeyRefused(field="credential") from error
    begun_at = await challenges.spend(session, challenge, user_id=user_id)
    user = await _with_room(session, user_id)
    # A password that changed meanwhile is not the one that allowed this.
    if begun_at is None or user.password_changed_at > begun_at:
        raise PasskeySetupOver
    try:
        key = ceremonies.verify_key(site, credential, challenge)
    except NotVerified as error:
        raise PasskeyRefused(field="credential") from error
    added = await session.scalars(
        insert(WebauthnCredential)
        .values(
            user_id=user_id,
            name=name,
            credential_id=key.credential_id,
            public_key=key.public_key,
            sign_count=key.sign_count,
            backup_eligible=key.backup_eligible,
            backed_up=key.backed_up,
            transports=list(key.transports),
        )
        .on_conflict_do_nothing(index_elements=[WebauthnCredential.credential_id])
        .returning(WebauthnCredential)
    )
    row = added.one_or_none()
    if row is None:
        raise PasskeyTaken
    await tell(session, row, "added", actor_id=user_id)
    return row


async def rename(session: AsyncSession, user_id: UUID, passkey_id: UUID, *, name: str) -> WebauthnCredential:
    """Call it something else. Raises PasskeyNotFound."""
    renamed = await session.scalars(
        update(WebauthnCredential)
        .where(WebauthnCredential.id == passkey_id, WebauthnCredential.user_id == user_id)
        .values(name=name)
        .returning(WebauthnCredential)
    )
    row = renamed.one_or_none()
    if row is None:
        raise PasskeyNotFound
    await _write_down(session, row, "renamed", actor_id=user_id)
    return row


async def remove(session: AsyncSession, user_id: UUID, passkey_id: UUID) -> None:
    """Forget it: nobody signs in with it any more. Raises PasskeyNotFound.

    It may be the last one, because every account has a password.
    """
    gone = await session.scalars(
        delete(WebauthnCredential)
        .where(WebauthnCredential.id == passkey_id, WebauthnCredential.user_id == user_id)
        .returning(WebauthnCredential)
    )
    row = gone.one_or_none()
    if row is None:
        raise PasskeyNotFound
    await tell(session, row, "removed", actor_id=user_id)


async def tell(session: AsyncSession, row: WebauthnCredential, change: PasskeyChange, *, actor_id: UUID | None) -> None:
    """An audit row and a mail to the owner."""
    await _write_down(session, row, change, actor_id=actor_id)
    changed = PasskeyChanged(user_id=row.user_id, passkey_id=row.id, passkey=row.name, change=change)
    await events.record(session, changed)


async def _write_down(session: AsyncSession, row: WebauthnCredential, what: str, *, actor_id: UUID | None) -> None:
    await audit.record(
        session,
        f"passkey.{what}",
        subject_type="user",
        subject_id=row.user_id,
        actor_id=actor_id,
        details={"passkey_id": str(row.id), "name": row.name},
    )


async def _with_room(session: AsyncSession, user_id: UUID) -> User:
    """The account, held so that two setups cannot both be its last that is allowed. Raises TooManyPasskeys."""
    held = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    user = (await session.scalars(held)).one()
    count = select(func.count()).where(WebauthnCredential.user_id == user_id)
    if int(await session.scalar(count) or 0) >= MAX_PASSKEYS:
        raise TooManyPasskeys(details={"limit": MAX_PASSKEYS})
    return user
