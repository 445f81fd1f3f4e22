"""Signing in with a passkey."""

from typing import Any

from fastapi import APIRouter, Request, Response

from db.passkeys import challenges, login
from db.passkeys.ceremonies import Site
from serve_app.auth.opening import open_login
from serve_app.auth.schemas import TokenResponse
from serve_app.dependencies import ResourcesDep
from serve_app.errors import RequestForged
from serve_app.openapi_parts import PUBLIC, problems
from serve_app.passkeys.schemas import PasskeyLogin, PasskeyOptions

PATH = "/auth/login/passkey"

router = APIRouter(tags=["passkeys"])


@router.post(f"{PATH}/options", response_model=PasskeyOptions, openapi_extra=PUBLIC)
async def begin_passkey_login(response: Response, resources: ResourcesDep) -> Any:
    """What to ask an authenticator: any passkey for this site, whoever it belongs to. Good for one answer."""
    async with resources.database.transaction() as session:
        options = await login.begin(session, Site.of(resources.settings.public_url))
    response.headers["Cache-Control"] = "no-store"
    return PasskeyOptions(options=options, expires_in=int(challenges.LIFE.total_seconds()))


@router.post(PATH, response_model=TokenResponse, openapi_extra=PUBLIC, responses=problems(401, 403))
async def login_with_passkey(body: PasskeyLogin, request: Request, response: Response, resources: ResourcesDep) -> Any:
    """Sign in with what an authenticator signed. It is both factors, so no code is asked for."""
    cookies = body.mode == "cookie"
    if cookies and resources.authenticator.is_forged(request.scope):
        raise RequestForged
    async with resources.database.transaction() as session:
        user_id = await login.sign_in(
            session,
            Site.of(resources.settings.public_url),
            body.credential.model_dump(by_alias=True),
            ip=resources.addresses.find(request.scope),
            failures_per_minute=resources.settings.login_rate_limit_per_minute,
        )
        return await open_login(
            session, user_id, login.METHODS, request=request, response=response, resources=resources, cookies=cookies
        )
