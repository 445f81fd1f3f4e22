"""Changing one's own account: address and password need the present password, and a code where there is one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import errors as auth_errors
from db.auth import second_factor
from db.auth import service as auth
from db.auth.models import User
from db.errors import InvalidInput, PermissionDenied
from db.users import service as users
from serve_app.auth.passwords import refuse_weak_password
from serve_app.auth.schemas import CurrentUserUpdate
from serve_app.resources import Resources
from serve_app.security.principal import Principal
from serve_app.security.quota import Policy

ADDRESS_CHANGES = Policy("address_changes", quota=10, window_s=3600)
"""Of one account, refused ones too: each mails an address that may be anybody's, or says that it is somebody's."""


class PasswordRequired(PermissionDenied):
    """The present password was not given."""

    code = "password_required"
    default_message = "This needs your current password."
    field = "current_password"


class WrongPassword(PermissionDenied):
    """The present password is another."""

    code = "wrong_password"
    default_message = "This is not your current password."
    field = "current_password"


async def change_own_account(
    resources: Resources, principal: Principal, body: CurrentUserUpdate, *, address: str
) -> User:
    """Apply the changes. Raises PasswordRequired, WrongPassword, PasswordTooWeak, TooManyAddresses, and what is raised
    below.

    Passwords are compared through `authenticate`, so that guesses here are counted, apart from those at the door.
    """
    changes: dict[str, Any] = body.model_dump(
        exclude_unset=True, exclude_none=True, exclude={"current_password", "new_password", "code"}
    )
    sensitive = "email" in changes or body.new_password is not None
    if sensitive:
        user = await prove_password(resources, principal.user_id, body.current_password, address)
        if changes.get("email", user.email).lower() != user.email.lower():
            decision = await resources.keeper.take(ADDRESS_CHANGES, f"user:{user.id}")
            if not decision.allowed:
                raise auth_errors.TooManyAddresses(retry_after_s=decision.retry_after_s)
        if body.new_password is not None:
            if body.new_password == body.current_password:
                raise InvalidInput("this is the present password", field="new_password")
            context = (changes.get("email", user.email), changes.get("username", user.username))
            await refuse_weak_password(resources, body.new_password, context=context, field="new_password")
            changes["password_hash"] = await resources.passwords.hash(body.new_password)
    async with resources.database.transaction(acting_user_id=principal.user_id) as session:
        if sensitive:
            await second_factor.require_code(session, resources.sealer, principal.user_id, body.code, ip=address)
        user = await users.update_user(session, principal.user_id, changes, actor_id=principal.user_id)
        if body.new_password is not None:
            await auth.revoke_all(
                session,
                principal.user_id,
                except_session_id=principal.session_id,
                reason="password_changed",
            )
        return user


@asynccontextmanager
async def proven(
    resources: Resources, user_id: UUID, *, password: str | None, code: str | None, address: str
) -> AsyncIterator[AsyncSession]:
    """The user's own transaction, after they have shown that it is them: by the password, and by a code where there is
    a second factor. Raises PasswordRequired, WrongPassword, and what `second_factor.require_code` raises.
    """
    user = await prove_password(resources, user_id, password, address)
    async with resources.database.transaction(acting_user_id=user.id) as session:
        await second_factor.require_code(session, resources.sealer, user.id, code, ip=address)
        yield session


async def prove_password(resources: Resources, user_id: UUID, password: str | None, address: str) -> User:
    """The account, if this is its password. Raises PasswordRequired, WrongPassword (counted, apart from sign-ins)."""
    async with resources.database.transaction(read_only=True) as session:
        user = await users.get_user(session, user_id)
    if password is None:
        raise PasswordRequired
    try:
        await auth.authenticate(
            resources.database,
            resources.passwords,
            email=user.email,
            password=password,
            ip=address,
            failures_per_minute=resources.settings.login_rate_limit_per_minute,
            purpose="confirmation",
        )
    except auth_errors.InvalidCredentials as error:
        raise WrongPassword from error
    return user
