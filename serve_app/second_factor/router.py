"""Two-step sign-in: set up an authenticator app, renew recovery codes, switch it off."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from db.auth import second_factor, totp
from db.errors import PermissionDenied
from db.users import service as users
from serve_app.auth.changing import prove_password, proven
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep, require_login
from serve_app.links import action, self_link
from serve_app.openapi_parts import problems
from serve_app.second_factor.qr import as_svg
from serve_app.second_factor.schemas import (
    Enrolment,
    EnrolmentBegin,
    EnrolmentConfirm,
    RecoveryCodes,
    SecondFactor,
    SecondFactorProof,
)
from serve_app.security.principal import Principal
from serve_app.users.reach import refuse_beyond

PATH = "/auth/second-factor"
ISSUER = "Mobula"

router = APIRouter(tags=["second_factor"])

UserWriter = Annotated[Principal, Depends(require_login("users:write"))]


@router.get(PATH, response_model=SecondFactor)
async def describe(principal: LoginPrincipal, session: DbSession) -> Any:
    """Whether signing in asks for a code, and how many recovery codes are left."""
    found = await second_factor.describe(session, principal.user_id)
    links = self_link(PATH)
    if found.enabled:
        links |= {
            "disable": action(f"{PATH}/disable", "POST"),
            "renew_recovery_codes": action(f"{PATH}/recovery-codes", "POST"),
        }
    else:
        links |= {"enrol": action(f"{PATH}/totp", "POST")}
    return SecondFactor(
        enabled=found.enabled,
        enabled_at=found.enabled_at,
        recovery_codes_left=found.recovery_codes_left,
        links=links,
    )


@router.post(f"{PATH}/totp", response_model=Enrolment, responses=problems(403, 409, 503))
async def begin_enrolment(
    body: EnrolmentBegin, principal: LoginPrincipal, request: Request, response: Response, resources: ResourcesDep
) -> Any:
    """Begin to set up an authenticator app: what it must know. It counts once a code of it has come, within 15 minutes.

    Beginning again voids what was shown before.
    """
    address = resources.addresses.find(request.scope)
    user = await prove_password(resources, principal.user_id, body.current_password, address)
    async with resources.database.transaction(acting_user_id=user.id) as session:
        secret = await second_factor.begin_enrolment(session, resources.sealer, user.id)
    uri = totp.uri(secret, account=user.email, issuer=ISSUER)
    response.headers["Cache-Control"] = "no-store"
    return Enrolment(secret=secret, otpauth_uri=uri, qr_svg=as_svg(uri))


@router.post(f"{PATH}/totp/confirm", response_model=RecoveryCodes, responses=problems(403, 409, 503))
async def confirm_enrolment(
    body: EnrolmentConfirm,
    principal: LoginPrincipal,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """Switch the authenticator app on. All other sessions end. The recovery codes are in this answer, nowhere else."""
    codes = await second_factor.confirm_enrolment(
        session,
        resources.sealer,
        principal.user_id,
        body.code,
        session_id=principal.session_id,
        ip=resources.addresses.find(request.scope),
    )
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(recovery_codes=list(codes))


@router.post(f"{PATH}/recovery-codes", response_model=RecoveryCodes, responses=problems(403, 409, 503))
async def renew_recovery_codes(
    body: SecondFactorProof, principal: LoginPrincipal, request: Request, response: Response, resources: ResourcesDep
) -> Any:
    """New recovery codes; the old ones are void. They are in this answer and nowhere else."""
    address = resources.addresses.find(request.scope)
    proof = proven(resources, principal.user_id, password=body.current_password, code=body.code, address=address)
    async with proof as session:
        codes = await second_factor.renew_recovery_codes(session, resources.sealer, principal.user_id)
    response.headers["Cache-Control"] = "no-store"
    return RecoveryCodes(recovery_codes=list(codes))


@router.post(f"{PATH}/disable", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 409, 503))
async def disable(
    body: SecondFactorProof, principal: LoginPrincipal, request: Request, resources: ResourcesDep
) -> None:
    """Switch two-step sign-in off, and void the recovery codes."""
    address = resources.addresses.find(request.scope)
    proof = proven(resources, principal.user_id, password=body.current_password, code=body.code, address=address)
    async with proof as session:
        await second_factor.disable(session, principal.user_id, actor_id=principal.user_id)


@router.delete(
    "/users/{user_id}/second-factor",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404, 409),
)
async def remove_second_factor(
    user_id: UUID,
    principal: UserWriter,
    session: DbSession,
) -> None:
    """Remove the second factor of somebody who has lost their app and their codes. One's own needs both factors.

    Needs every permission that the account holds.
    """
    if user_id == principal.user_id:
        raise PermissionDenied("Switch your own second factor off in your settings.")
    await users.get_user(session, user_id)
    await refuse_beyond(session, principal, user_id)
    await second_factor.disable(session, user_id, actor_id=principal.user_id)
