"""What handlers ask for, as Annotated aliases.

There is no "whoever has a credential": each says what an API key needs, because its scopes are all that its owner gave
it (D-151).

All are coroutines, though most wait for nothing: FastAPI hands a plain function to a thread, which costs more than the
rest of a small request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth.errors import EmailUnverified
from db.errors import PermissionDenied
from serve_app.errors import AuthenticationRequired
from serve_app.openapi_parts import LOGIN, declares, key_permitted, permitted
from serve_app.resources import Resources
from serve_app.security.principal import Principal


def resources_of(request: Request) -> Resources:
    """The process's clients, for a handler that does without dependencies."""
    resources: Resources = request.app.state.resources
    return resources


def _principal(request: Request) -> Principal:
    principal: Principal | None = request.scope.get("principal")
    if principal is None:
        raise AuthenticationRequired
    return principal


async def get_resources(request: Request) -> Resources:
    """The process's clients, opened by the lifespan."""
    return resources_of(request)


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_optional_principal(request: Request) -> Principal | None:
    """The caller, or None for an anonymous one."""
    principal: Principal | None = request.scope.get("principal")
    return principal


OptionalPrincipal = Annotated[Principal | None, Depends(get_optional_principal)]


class LoginRequired(PermissionDenied):
    """An API key asked for what only a person who signed in may do."""

    code = "login_required"
    default_message = "This needs a login session; an API key cannot do it."


@declares(LOGIN)
async def get_login_principal(request: Request) -> Principal:
    """The caller, if a person who signed in. A key could otherwise widen its own scopes by making another."""
    principal = _principal(request)
    if principal.session_id is None:
        raise LoginRequired
    return principal


LoginPrincipal = Annotated[Principal, Depends(get_login_principal)]


def require(permission: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that lets through only callers with a permission (403 otherwise, 401 without a credential)."""

    @declares(permitted(permission))
    async def check(request: Request) -> Principal:
        principal = _principal(request)
        _refuse_without(permission, principal, request)
        return principal

    return check


def require_login(permission: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency for people who signed in and hold a permission: what a key must not do, whatever its scopes."""

    @declares(permitted(permission) | LOGIN)
    async def check(request: Request) -> Principal:
        principal = await get_login_principal(request)
        _refuse_without(permission, principal, request)
        return principal

    return check


def _refuse_without(permission: str, principal: Principal, request: Request) -> None:
    if not principal.may(permission):
        if not principal.is_verified and permission in resources_of(request).settings.unverified_without:
            raise EmailUnverified
        raise PermissionDenied(f"this needs the permission '{permission}'")


def require_of_keys(permission: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency for what people may do with what is theirs: an API key of theirs needs a scope for it (403)."""

    @declares(key_permitted(permission))
    async def check(request: Request) -> Principal:
        principal = _principal(request)
        if principal.session_id is None and not principal.may(permission):
            raise PermissionDenied(f"an API key needs the scope '{permission}' for this")
        return principal

    return check


async def get_db_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's one transaction.

    Function-scoped: FastAPI leaves this generator after the handler has returned and its result is serialised, and
    before the first byte is sent. So a commit that fails becomes an error response, never a success that was not.
    """
    principal: Principal | None = request.scope.get("principal")
    acting_user_id = principal.user_id if principal is not None else None
    async with resources_of(request).database.transaction(acting_user_id=acting_user_id) as session:
        yield session


DbSession = Annotated[AsyncSession, Depends(get_db_session, scope="function")]
