"""Opening login sessions, and handing out their tokens."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from db.auth import service
from db.auth.errors import RefreshTokenInvalid
from db.auth.service import OpenSession
from serve_app.auth.schemas import TokenResponse
from serve_app.resources import Resources
from serve_app.security.cookies import set_cookies
from serve_app.security.credentials import principal_of_identity
from serve_app.users.presenting import present_current_user


async def open_login(
    session: AsyncSession,
    user_id: UUID,
    methods: Sequence[str],
    *,
    request: Request,
    response: Response,
    resources: Resources,
    cookies: bool,
) -> TokenResponse:
    """Where every way of signing in ends: a login session, opened by `methods`. Raises RefreshTokenInvalid."""
    settings = resources.settings
    opened = await service.open_session(
        session,
        user_id,
        ip=resources.addresses.find(request.scope),
        user_agent=request.headers.get("user-agent"),
        idle_days=settings.refresh_token_expire_days,
        absolute_days=settings.session_absolute_days,
        methods=methods,
    )
    return await hand_out(session, opened, resources=resources, response=response, cookies=cookies)


async def hand_out(
    session: AsyncSession, opened: OpenSession, *, resources: Resources, response: Response, cookies: bool
) -> TokenResponse:
    """The tokens of a session, in the body or in cookies. Raises RefreshTokenInvalid when it has ended meanwhile."""
    identity = await service.load_identity(session, opened.user.id, session_id=opened.session.id)
    if identity is None:
        raise RefreshTokenInvalid
    principal = principal_of_identity(identity, method="cookie" if cookies else "bearer")
    access, expires_in = resources.issuer.access(
        subject=principal.user_id,
        session_id=opened.session.id,
        username=principal.username,
        roles=principal.roles,
        permissions=principal.permissions,
        authenticated_at=principal.authenticated_at,
        session_expires_at=principal.session_expires_at,
        methods=opened.session.methods,
    )
    if cookies:
        refresh_lives = opened.refresh_expires_at - opened.session.last_seen_at
        set_cookies(
            response,
            access=access,
            access_max_age_s=expires_in,
            refresh=opened.refresh_token,
            refresh_max_age_s=max(1, int(refresh_lives.total_seconds())),
            secure=resources.secure_cookies,
        )
    response.headers["Cache-Control"] = "no-store"
    return TokenResponse(
        access_token=None if cookies else access,
        refresh_token=None if cookies else opened.refresh_token,
        token_type="cookie" if cookies else "bearer",
        expires_in=expires_in,
        session_expires_at=opened.session.absolute_expires_at,
        user=present_current_user(opened.user, principal),
    )
