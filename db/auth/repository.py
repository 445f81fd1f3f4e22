"""Queries about accounts, sessions and what they may do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.models import LoginSession, Permission, Role, RolePermission, User, UserRole
from db.session import UNVERIFIED_WITHOUT


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a credential stands for, and what they may do now."""

    user: User
    roles: tuple[str, ...]
    permissions: frozenset[str]
    session: LoginSession | None = None

    @property
    def tokens_valid_after(self) -> datetime | None:
        """Refuse access tokens issued before this."""
        return self.user.tokens_valid_after


async def live_user(session: AsyncSession, user_id: UUID) -> User | None:
    """The account, unless it is removed."""
    return (await session.scalars(select(User).where(User.id == user_id, User.deleted_at.is_(None)))).one_or_none()


async def user_by_email(session: AsyncSession, email: str) -> User | None:
    """The live account with this address, whatever its case: as the index has it, Python's lower case is another."""
    wanted = select(User).where(func.lower(User.email) == func.lower(email.strip()), User.deleted_at.is_(None))
    return (await session.scalars(wanted)).one_or_none()


async def user_by_username(session: AsyncSession, username: str) -> User | None:
    """The live account with this username, whatever its case."""
    wanted = select(User).where(func.lower(User.username) == func.lower(username.strip()), User.deleted_at.is_(None))
    return (await session.scalars(wanted)).one_or_none()


async def roles_of(session: AsyncSession, user_ids: Iterable[UUID]) -> dict[UUID, tuple[str, ...]]:
    """Role names of each user, sorted; every id is a key."""
    ids = list(user_ids)
    rows = await session.execute(
        select(UserRole.user_id, Role.name).join(Role, Role.id == UserRole.role_id).where(UserRole.user_id.in_(ids))
    )
    found: dict[UUID, list[str]] = {user_id: [] for user_id in ids}
    for user_id, name in rows:
        found[user_id].append(name)
    return {user_id: tuple(sorted(names)) for user_id, names in found.items()}


async def usernames_of(session: AsyncSession, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What these people are called, also those whose accounts are removed."""
    rows = await session.execute(select(User.id, User.username).where(User.id.in_(set(user_ids))))
    return {row.id: row.username for row in rows}


def _by_roles(user_id: UUID) -> Select[str]:
    return (
        select(RolePermission.permission)
        .join(UserRole, UserRole.role_id == RolePermission.role_id)
        .where(UserRole.user_id == user_id)
    )


async def allowed_by_roles(session: AsyncSession, user_id: UUID) -> frozenset[str]:
    """Everything that the user's roles allow, also what is withheld until the address is verified."""
    return frozenset(await session.scalars(_by_roles(user_id)))


async def permissions_of(session: AsyncSession, user_id: UUID) -> frozenset[str]:
    """Everything that the user's roles allow, less what is withheld until the address is verified."""
    held = _by_roles(user_id)
    if withheld := session.info.get(UNVERIFIED_WITHOUT):
        verified = select(User.is_verified).where(User.id == user_id).scalar_subquery()
        held = held.where(or_(RolePermission.permission.not_in(withheld), verified))
    return frozenset(await session.scalars(held))


async def known_roles(session: AsyncSession) -> list[tuple[Role, list[Permission]]]:
    """Every role and what it allows, both by name."""
    roles = (await session.scalars(select(Role).order_by(Role.name))).all()
    rows = await session.execute(
        select(RolePermission.role_id, Permission)
        .join(Permission, Permission.name == RolePermission.permission)
        .order_by(Permission.name)
    )
    allowed: dict[UUID, list[Permission]] = {role.id: [] for role in roles}
    for role_id, permission in rows:
        allowed[role_id].append(permission)
    return [(role, allowed[role.id]) for role in roles]


async def live_session(session: AsyncSession, session_id: UUID) -> LoginSession | None:
    """The login session, unless it was revoked or has reached its end."""
    wanted = select(LoginSession).where(
        LoginSession.id == session_id,
        LoginSession.revoked_at.is_(None),
        LoginSession.absolute_expires_at > func.now(),
    )
    return (await session.scalars(wanted)).one_or_none()


async def live_sessions(session: AsyncSession, user_id: UUID) -> Sequence[LoginSession]:
    """Where the user is signed in, the most recently seen first."""
    rows = await session.scalars(
        select(LoginSession)
        .where(
            LoginSession.user_id == user_id,
            LoginSession.revoked_at.is_(None),
            LoginSession.absolute_expires_at > func.now(),
        )
        .order_by(LoginSession.last_seen_at.desc(), LoginSession.id)
    )
    return rows.all()
