"""Whose accounts somebody may change."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.repository import allowed_by_roles
from db.errors import PermissionDenied
from serve_app.security.principal import Principal


async def refuse_beyond(session: AsyncSession, principal: Principal, user_id: UUID) -> None:
    """Raise PermissionDenied unless the account is the caller's own, or allows nothing that they may not do themselves.

    Whoever chooses an account's address, or takes its second factor away, can sign in as its owner: with `users:write`
    alone anybody could otherwise become an administrator, or switch all of them off.
    """
    if user_id == principal.user_id:
        return
    if missing := sorted(await allowed_by_roles(session, user_id) - principal.permissions):
        raise PermissionDenied(
            f"Changing this account needs every permission that it holds, '{missing[0]}' too.",
            details={"permissions": missing},
        )
