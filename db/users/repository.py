"""Finding accounts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from db.auth.models import Role, User, UserRole
from db.search import contains, matches

SORTS: Mapping[str, tuple[InstrumentedAttribute[Any], ...]] = {
    "created_at": (User.created_at, User.id),
    "username": (User.username, User.id),
    "email": (User.email, User.id),
}


async def filtered(
    session: AsyncSession, *, q: str | None = None, is_active: bool | None = None, org_id: UUID | None = None
) -> Select[User]:
    """Live accounts that match."""
    statement = select(User).where(User.deleted_at.is_(None))
    if q:
        statement = statement.where(await matches(session, q, User.email, User.username, User.full_name))
    if is_active is not None:
        statement = statement.where(User.is_active.is_(is_active))
    if org_id is not None:
        statement = statement.where(User.org_id == org_id)
    return statement


async def directory(session: AsyncSession, query: str, *, limit: int) -> Sequence[User]:
    """Active people whose username contains `query`; those that begin with it first."""
    statement = select(User).where(User.deleted_at.is_(None), User.is_active)
    if query:
        begins = func.lower(User.username).startswith(query.lower(), autoescape=True)
        statement = statement.where(contains(User.username, query)).order_by(begins.desc())
    return (await session.scalars(statement.order_by(func.lower(User.username), User.id).limit(limit))).all()


async def by_usernames(session: AsyncSession, usernames: Iterable[str]) -> dict[str, User]:
    """Active accounts by lower-cased username."""
    wanted = {name.strip().lower() for name in usernames}
    rows = await session.scalars(
        select(User).where(func.lower(User.username).in_(wanted), User.deleted_at.is_(None), User.is_active)
    )
    return {user.username.lower(): user for user in rows}


async def by_ids(session: AsyncSession, ids: Iterable[UUID]) -> dict[UUID, User]:
    """Active accounts by id."""
    rows = await session.scalars(select(User).where(User.id.in_(set(ids)), User.deleted_at.is_(None), User.is_active))
    return {user.id: user for user in rows}


async def active_with_role(session: AsyncSession, role: str) -> set[UUID]:
    """Who has a role; locks the role's row, so that two withdrawals cannot both see the other's holder."""
    role_id = await session.scalar(select(Role.id).where(Role.name == role).with_for_update())
    rows = await session.scalars(
        select(User.id)
        .join(UserRole, UserRole.user_id == User.id)
        .where(UserRole.role_id == role_id, User.deleted_at.is_(None), User.is_active)
    )
    return set(rows)
