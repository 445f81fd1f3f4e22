"""Making accounts, and what they may do."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth import repository
from db.auth.errors import EmailTaken, UnknownRole, UsernameTaken
from db.auth.events import RegistrationRefused, UserCreated
from db.auth.models import Role, User, UserRole
from db.auth.permissions import CUSTOMER
from db.auth.repository import Identity
from db.constraints import violated
from db.errors import DomainError, InvalidInput

_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+$")
"""Only what the rest of the code relies on; whether mail arrives is found out by sending some."""

_USERNAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{1,49}$")


def check_email(email: str) -> str:
    """The address without surrounding blanks. Raises InvalidInput."""
    email = email.strip()
    if not _EMAIL.match(email) or len(email) > 255:
        raise InvalidInput("this is not an e-mail address", field="email")
    return email


def check_username(username: str) -> str:
    """The username without surrounding blanks. Raises InvalidInput."""
    username = username.strip()
    if not _USERNAME.match(username):
        raise InvalidInput("2 to 50 letters, digits, dots, dashes and underscores", field="username")
    return username


def name_conflict(error: IntegrityError) -> DomainError | None:
    """The refusal that a violated unique index of auth.users amounts to."""
    return {"uq_users_email_live": EmailTaken(), "uq_users_username_live": UsernameTaken()}.get(violated(error))


async def register(
    session: AsyncSession,
    *,
    email: str,
    username: str,
    password_hash: str,
    full_name: str = "",
    roles: Sequence[str] = (CUSTOMER,),
    is_verified: bool = False,
    org_id: UUID | None = None,
) -> User:
    """Make an account and record UserCreated. Raises EmailTaken, UsernameTaken, InvalidInput, UnknownRole."""
    user = User(
        email=check_email(email),
        username=check_username(username),
        password_hash=password_hash,
        full_name=full_name.strip(),
        is_verified=is_verified,
        org_id=org_id,
    )
    if await repository.user_by_email(session, user.email) is not None:
        raise EmailTaken
    if await repository.user_by_username(session, user.username) is not None:
        raise UsernameTaken
    session.add(user)
    try:
        await session.flush()
    except IntegrityError as error:  # lost a race between the look and the insert
        if (conflict := name_conflict(error)) is not None:
            raise conflict from error
        raise
    await set_roles(session, user.id, roles)
    await events.record(session, UserCreated(user_id=user.id, email=user.email, username=user.username))
    return user


async def refuse_by_mail(
    session: AsyncSession, *, email: str, username: str, taken: Literal["email", "username"]
) -> None:
    """Record that a registration was refused, for those who may not hear it in the answer."""
    event = RegistrationRefused(email=check_email(email), username=check_username(username), taken=taken)
    await events.record(session, event)


async def set_roles(
    session: AsyncSession, user_id: UUID, roles: Iterable[str], *, actor_id: UUID | None = None
) -> None:
    """Make these exactly the user's roles. Raises UnknownRole."""
    wanted = set(roles)
    found = {name: role_id for role_id, name in await session.execute(select(Role.id, Role.name))}
    if missing := sorted(wanted - found.keys()):
        raise UnknownRole(f"there is no role '{missing[0]}'", field="roles")
    before = set((await repository.roles_of(session, [user_id]))[user_id])
    if before == wanted:
        return
    await session.execute(delete(UserRole).where(UserRole.user_id == user_id))
    if wanted:
        rows = [{"user_id": user_id, "role_id": found[name]} for name in sorted(wanted)]
        await session.execute(insert(UserRole).values(rows))
    await audit.record(
        session,
        "roles.changed",
        subject_type="user",
        subject_id=user_id,
        actor_id=actor_id,
        details={"before": sorted(before), "after": sorted(wanted)},
    )


async def load_identity(session: AsyncSession, user_id: UUID, *, session_id: UUID | None = None) -> Identity | None:
    """Who this is and what they may do now; None when the account or the given session has ended."""
    user = await repository.live_user(session, user_id)
    if user is None or not user.is_active:
        return None
    login = None
    if session_id is not None:
        login = await repository.live_session(session, session_id)
        if login is None or login.user_id != user_id:
            return None
    roles = (await repository.roles_of(session, [user_id]))[user_id]
    return Identity(user, roles, await repository.permissions_of(session, user_id), login)
