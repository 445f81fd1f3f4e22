"""Reading, changing and removing accounts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import func, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit, events
from db.auth import service as auth
from db.auth import verification
from db.auth.accounts import name_conflict
from db.auth.events import EmailChanged, PasswordChanged
from db.auth.models import ApiKey, User
from db.auth.permissions import ADMIN
from db.auth.repository import live_user, roles_of
from db.errors import InvalidInput, PreconditionFailed
from db.pagination import Cursor, CursorPage, Page, check_limit, choose_sort, fetch_cursor_page, fetch_page
from db.users import repository
from db.users.errors import LastAdmin, UserNotFound
from db.users.events import UserDeleted, UserUpdated

FIELDS = frozenset({"email", "username", "full_name", "metadata", "is_active", "is_verified", "password_hash"})
"""What `update_user` changes; `roles` go beside them. Routers decide who may set which."""

MAX_METADATA_KEYS = 50
MAX_METADATA_BYTES = 16_384
"""Written as JSON. Everybody may change their own, as often as their quota allows, and each change is indexed anew."""


async def list_users(
    session: AsyncSession,
    *,
    q: str | None = None,
    is_active: bool | None = None,
    org_id: UUID | None = None,
    sort: str | None = None,
    order: str | None = None,
    page: int = 1,
    limit: int = 20,
    count: bool = True,
) -> Page[User]:
    """One numbered page of live accounts. `sort` is created_at, username or email, with `-` for descending."""
    statement = await repository.filtered(session, q=q, is_active=is_active, org_id=org_id)
    chosen = choose_sort(repository.SORTS, sort, order, "-created_at")
    return await fetch_page(session, statement, chosen, page=page, limit=limit, count=count)


async def list_users_by_cursor(
    session: AsyncSession,
    *,
    q: str | None = None,
    is_active: bool | None = None,
    org_id: UUID | None = None,
    sort: str | None = None,
    order: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 20,
) -> CursorPage[User]:
    """The same by cursor."""
    statement = await repository.filtered(session, q=q, is_active=is_active, org_id=org_id)
    chosen = choose_sort(repository.SORTS, sort, order, "-created_at")
    return await fetch_cursor_page(session, statement, chosen, cursor=cursor, limit=limit)


async def get_user(session: AsyncSession, user_id: UUID) -> User:
    """One live account. Raises UserNotFound."""
    user = await live_user(session, user_id)
    if user is None:
        raise UserNotFound
    return user


async def get_roles(session: AsyncSession, users: Iterable[User]) -> dict[UUID, tuple[str, ...]]:
    """Role names by user id."""
    return await roles_of(session, [user.id for user in users])


async def search_directory(session: AsyncSession, query: str = "", *, limit: int = 20) -> Sequence[User]:
    """People to start a conversation with: active accounts by part of their username. Show id and username only."""
    return await repository.directory(session, query.strip()[:50], limit=check_limit(limit))


async def update_user(
    session: AsyncSession,
    user_id: UUID,
    changes: Mapping[str, Any],
    *,
    roles: Iterable[str] | None = None,
    expected_version: int | None = None,
    actor_id: UUID | None = None,
) -> User:
    """Change an account; `changes` holds only what changes (FIELDS).

    Raises UserNotFound, PreconditionFailed (another version), EmailTaken, UsernameTaken, LastAdmin, InvalidInput.
    A new e-mail address is unverified, and its owner is asked to verify it. Disabling ends all sessions.
    """
    if unknown := sorted(changes.keys() - FIELDS):
        raise InvalidInput("this cannot be changed", field=unknown[0])
    user = await get_user(session, user_id)
    if expected_version is not None and user.version != expected_version:
        raise PreconditionFailed
    losing_admin = changes.get("is_active") is False or (roles is not None and ADMIN not in roles)
    if losing_admin:
        await _keep_an_admin(session, user_id)
    old_email, was_verified = user.email, user.is_verified
    changed = _apply(user, changes)
    if roles is not None and (roles := set(roles)) != set((await get_roles(session, [user]))[user_id]):
        # A change of the account like any other: it raises the version, and of two at the same time one is too late.
        user.updated_at = func.now()
    try:
        await session.flush()
    except IntegrityError as error:
        if (conflict := name_conflict(error)) is not None:
            raise conflict from error
        raise
    if roles is not None:
        await auth.set_roles(session, user_id, roles, actor_id=actor_id)
    if "is_active" in changed and not user.is_active:
        await auth.revoke_all(session, user_id, reason="disabled", actor_id=actor_id)
        await session.refresh(user)
    if "password_hash" in changed:
        await events.record(session, PasswordChanged(user_id=user_id))
    if user.email.lower() != old_email.lower():
        await events.record(session, EmailChanged(user_id=user_id, old_email=old_email, was_verified=was_verified))
        if not user.is_verified:
            await verification.ask(session, user)
    if changed:
        await events.record(session, UserUpdated(user_id=user_id, fields=tuple(sorted(changed))))
    return user


async def delete_user(
    session: AsyncSession, user_id: UUID, *, expected_version: int | None = None, actor_id: UUID | None = None
) -> None:
    """Remove an account softly: its names become free, its sessions and keys end. Raises UserNotFound, LastAdmin."""
    user = await get_user(session, user_id)
    if expected_version is not None and user.version != expected_version:
        raise PreconditionFailed
    await _keep_an_admin(session, user_id)
    user.is_active = False
    user.deleted_at = func.now()
    await session.flush()
    await auth.revoke_all(session, user_id, reason="deleted", actor_id=actor_id)
    await session.execute(
        update(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    )
    await audit.record(session, "user.deleted", subject_type="user", subject_id=user_id, actor_id=actor_id)
    await events.record(session, UserDeleted(user_id=user_id))


async def restore_user(session: AsyncSession, user_id: UUID, *, actor_id: UUID | None = None) -> User:
    """Bring a removed account back. Raises UserNotFound, and EmailTaken or UsernameTaken when its names are gone."""
    user = await session.get(User, user_id)
    if user is None or user.deleted_at is None:
        raise UserNotFound
    user.deleted_at = None
    user.is_active = True
    try:
        await session.flush()
    except IntegrityError as error:
        if (conflict := name_conflict(error)) is not None:
            raise conflict from error
        raise
    await audit.record(session, "user.restored", subject_type="user", subject_id=user_id, actor_id=actor_id)
    return user


def _apply(user: User, changes: Mapping[str, Any]) -> set[str]:
    """Set the attributes; returns which really changed."""
    values = dict(changes)
    if "email" in values:
        values["email"] = auth.check_email(values["email"])
        if values["email"].lower() != user.email.lower():
            values.setdefault("is_verified", False)
    if "username" in values:
        values["username"] = auth.check_username(values["username"])
    if "metadata" in values:
        if len(values["metadata"]) > MAX_METADATA_KEYS:
            raise InvalidInput(f"{MAX_METADATA_KEYS} keys at most", field="metadata")
        if len(orjson.dumps(values["metadata"])) > MAX_METADATA_BYTES:
            raise InvalidInput(f"{MAX_METADATA_BYTES} bytes of JSON at most", field="metadata")
        values["extra"] = values.pop("metadata")
    if "password_hash" in values:
        values["password_changed_at"] = func.now()
    changed = set()
    for name, value in values.items():
        if getattr(user, name) != value or name == "password_changed_at":
            setattr(user, name, value)
            changed.add("metadata" if name == "extra" else name)
    return changed


async def _keep_an_admin(session: AsyncSession, user_id: UUID) -> None:
    admins = await repository.active_with_role(session, ADMIN)
    if admins == {user_id}:
        raise LastAdmin
