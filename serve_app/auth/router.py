"""Registration, login, refresh, logout."""

from typing import Any

from fastapi import APIRouter, Request, Response, status

from db.auth import challenges, service
from db.auth.errors import EmailTaken, RefreshTokenInvalid, TooManyRegistrations, UsernameTaken
from db.auth.models import User as UserRow
from db.auth.networks import caller_network
from db.auth.permissions import CUSTOMER
from serve_app.auth.opening import hand_out, open_login
from serve_app.auth.pacing import in_steps
from serve_app.auth.passwords import refuse_weak_password
from serve_app.auth.schemas import (
    LoginChallenge,
    LoginRequest,
    LogoutRequest,
    RefreshRequest,
    RegisterRequest,
    RegistrationAccepted,
    SecondFactorLogin,
    TokenResponse,
)
from serve_app.dependencies import OptionalPrincipal, ResourcesDep
from serve_app.errors import AuthenticationRequired, RequestForged
from serve_app.middleware.context import request_headers
from serve_app.openapi_parts import LOCATION_HEADER, PUBLIC, problems
from serve_app.resources import Resources
from serve_app.security.authenticator import read_cookie
from serve_app.security.cookies import clear_cookies, refresh_cookie_name
from serve_app.security.quota import Policy
from serve_app.users.presenting import present_user
from serve_app.users.schemas import User

router = APIRouter(prefix="/auth", tags=["auth"])

ACCEPTED = "If the address and the name were free, the account exists now. We have sent mail to the address."


@router.post(
    "/register",
    status_code=status.HTTP_201_CREATED,
    response_model=User,
    openapi_extra=PUBLIC,
    responses=problems(409)
    | {
        201: {"headers": LOCATION_HEADER},
        202: {"model": RegistrationAccepted, "description": "With HIDE_ACCOUNTS: the same answer for everybody."},
    },
)
async def register(body: RegisterRequest, request: Request, response: Response, resources: ResourcesDep) -> Any:
    """Make an account. With HIDE_ACCOUNTS a mail says how it went, to the address that was given."""
    await refuse_weak_password(resources, body.password, context=(body.email, body.username), field="password")
    await _refuse_many_registrations(request, resources)
    if resources.settings.hide_accounts:
        async with in_steps():
            await _register_unseen(body, resources)
        content = RegistrationAccepted(detail=ACCEPTED).model_dump_json()
        return Response(content, status.HTTP_202_ACCEPTED, media_type="application/json")
    user = await _register(body, resources)
    response.headers["Location"] = f"/api/v1/users/{user.id}"
    return present_user(user, [CUSTOMER], None)


async def _refuse_many_registrations(request: Request, resources: Resources) -> None:
    """Each sends mail to an address that nobody has proven to be theirs, and says whether it is taken."""
    settings = resources.settings
    quota = settings.registrations_per_hour if settings.rate_limit_per_minute > 0 else 0
    caller = caller_network(resources.addresses.find(request.scope))
    decision = await resources.keeper.take(Policy("registrations", quota, window_s=3600), f"address:{caller}")
    if not decision.allowed:
        raise TooManyRegistrations(retry_after_s=decision.retry_after_s)


async def _register(body: RegisterRequest, resources: Resources) -> UserRow:
    password_hash = await resources.passwords.hash(body.password)
    async with resources.database.transaction() as session:
        return await service.register(
            session,
            email=body.email,
            username=body.username,
            password_hash=password_hash,
            full_name=body.full_name,
        )


async def _register_unseen(body: RegisterRequest, resources: Resources) -> None:
    """Make the account, or have a mail say why not."""
    try:
        await _register(body, resources)
    except (EmailTaken, UsernameTaken) as refusal:
        async with resources.database.transaction() as session:
            await service.refuse_by_mail(
                session,
                email=body.email,
                username=body.username,
                taken="email" if isinstance(refusal, EmailTaken) else "username",
            )


@router.post(
    "/login",
    response_model=TokenResponse,
    openapi_extra=PUBLIC,
    responses=problems(401, 403)
    | {202: {"model": LoginChallenge, "description": "The account has a second factor, and it is asked for."}},
)
async def login(body: LoginRequest, request: Request, response: Response, resources: ResourcesDep) -> Any:
    """Sign in. Opens a login session, or asks for a code first (202)."""
    cookies = body.mode == "cookie"
    if cookies and resources.authenticator.is_forged(request.scope):
        raise RequestForged
    address = resources.addresses.find(request.scope)
    settings = resources.settings
    user_id = await service.authenticate(
        resources.database,
        resources.passwords,
        email=body.email,
        password=body.password,
        ip=address,
        failures_per_minute=settings.login_rate_limit_per_minute,
    )
    async with resources.database.transaction(acting_user_id=user_id) as session:
        challenge = await challenges.challenge(session, user_id)
        if challenge is None:
            return await open_login(
                session,
                user_id,
                ("pwd",),
                request=request,
                response=response,
                resources=resources,
                cookies=cookies,
            )
    content = LoginChallenge(challenge=challenge.text, expires_in=challenge.expires_in_s).model_dump_json()
    headers = {"Cache-Control": "no-store"}
    return Response(content, status.HTTP_202_ACCEPTED, headers, media_type="application/json")


@router.post(
    "/login/second-factor",
    response_model=TokenResponse,
    openapi_extra=PUBLIC,
    responses=problems(401, 403, 503),
)
async def login_with_code(
    body: SecondFactorLogin, request: Request, response: Response, resources: ResourcesDep
) -> Any:
    """The second step of signing in: a code of the authenticator app, or a recovery code. Opens a login session."""
    cookies = body.mode == "cookie"
    if cookies and resources.authenticator.is_forged(request.scope):
        raise RequestForged
    address = resources.addresses.find(request.scope)
    async with resources.database.transaction() as session:
        proven = await challenges.answer(session, resources.sealer, body.challenge, body.code, ip=address)
        return await open_login(
            session,
            proven.user_id,
            proven.methods,
            request=request,
            response=response,
            resources=resources,
            cookies=cookies,
        )


@router.post("/refresh", response_model=TokenResponse, openapi_extra=PUBLIC, responses=problems(401, 403))
async def refresh(
    request: Request, response: Response, resources: ResourcesDep, body: RefreshRequest | None = None
) -> Any:
    """Exchange the refresh token for a new pair. A refresh token works once; using it again ends its session."""
    token = body.refresh_token if body is not None else None
    cookies = token is None
    if token is None:
        token = _refresh_cookie(request, resources)
    if token is None:
        raise AuthenticationRequired("There is no refresh token, neither in the body nor in a cookie.")
    async with resources.database.transaction() as session:
        opened = await service.rotate_refresh(
            session,
            token,
            idle_days=resources.settings.refresh_token_expire_days,
            ip=resources.addresses.find(request.scope),
            user_agent=request.headers.get("user-agent"),
        )
        return await hand_out(session, opened, resources=resources, response=response, cookies=cookies)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT, openapi_extra=PUBLIC, responses=problems(401, 403))
async def logout(
    request: Request,
    response: Response,
    principal: OptionalPrincipal,
    resources: ResourcesDep,
    body: LogoutRequest | None = None,
) -> None:
    """End this session, or all of them. Open sockets of an ended session are closed.

    With cookies it works after the access token has expired, too.
    """
    everywhere = body is not None and body.everywhere
    address = resources.addresses.find(request.scope)
    if principal is not None and principal.session_id is not None:
        user_id, session_id = principal.user_id, principal.session_id
    else:
        token = _refresh_cookie(request, resources)
        if token is None:
            raise AuthenticationRequired
        try:
            async with resources.database.transaction() as session:
                opened = await service.rotate_refresh(session, token, ip=address)
        except RefreshTokenInvalid:
            clear_cookies(response, secure=resources.secure_cookies)
            return
        user_id, session_id = opened.user.id, opened.session.id
    async with resources.database.transaction(acting_user_id=user_id) as session:
        if everywhere:
            await service.revoke_all(session, user_id)
        else:
            await service.revoke_session(session, user_id, session_id)
    clear_cookies(response, secure=resources.secure_cookies)


def _refresh_cookie(request: Request, resources: Resources) -> str | None:
    """The refresh token of the cookie mode. Raises RequestForged for a request that a foreign page may have made."""
    name = refresh_cookie_name(secure=resources.secure_cookies)
    token = read_cookie(request_headers(request.scope), name)
    if token is not None and resources.authenticator.is_forged(request.scope):
        raise RequestForged
    return token
