"""Accounts and what belongs to them. Every factory flushes and returns the stored row; name only what matters."""

import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import service
from db.auth.api_keys import CreatedApiKey
from db.auth.models import Organisation, Role, RolePermission, User
from db.auth.sessions import OpenSession

_numbers = itertools.count(1)

PASSWORD_HASH = "not-a-real-hash"
"""Nobody can sign in with it; tests of signing in pass the hash of a password of theirs."""


async def make_organisation(session: AsyncSession, **values: Any) -> Organisation:
    """A tenant."""
    number = next(_numbers)
    row = Organisation(**({"name": f"Organisation {number}", "slug": f"organisation-{number}"} | values))
    session.add(row)
    await session.flush()
    return row


async def make_role(session: AsyncSession, name: str, permissions: Sequence[str]) -> Role:
    """A role of the application's own."""
    row = Role(name=name)
    session.add(row)
    await session.flush()
    session.add_all(RolePermission(role_id=row.id, permission=permission) for permission in permissions)
    await session.flush()
    return row


async def make_user(
    session: AsyncSession,
    *,
    username: str | None = None,
    email: str | None = None,
    password_hash: str = PASSWORD_HASH,
    full_name: str = "",
    roles: Sequence[str] = ("customer",),
    is_verified: bool = True,
    org_id: UUID | None = None,
) -> User:
    """An account, registered by the service: UserCreated is recorded."""
    name = username or f"person{next(_numbers)}"
    return await service.register(
        session,
        email=email or f"{name}@example.com",
        username=name,
        password_hash=password_hash,
        full_name=full_name,
        roles=roles,
        is_verified=is_verified,
        org_id=org_id,
    )


async def make_session(session: AsyncSession, user: User | None = None, **values: Any) -> OpenSession:
    """A login session with its first refresh token."""
    owner = user or await make_user(session)
    return await service.open_session(session, owner.id, **({"ip": "192.0.2.7", "user_agent": "tests"} | values))


async def make_api_key(
    session: AsyncSession, user: User | None = None, *, scopes: Sequence[str] = ("orders:read",), **values: Any
) -> CreatedApiKey:
    """An API key; `text` is the secret."""
    owner = user or await make_user(session)
    return await service.create_api_key(session, owner.id, name="key", scopes=scopes, **values)
