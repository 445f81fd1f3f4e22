"""What mailed links are for: verifying an e-mail address, and replacing a forgotten password."""

from typing import Any

from fastapi import APIRouter, Request, status

from db.auth import password_reset, service, verification
from db.auth.errors import TooManyMails
from db.auth.networks import caller_network
from db.users import service as users
from serve_app.auth.passwords import refuse_weak_password
from serve_app.auth.schemas import EmailVerified, EmailVerify, MailOnItsWay, PasswordForgotten, PasswordReset
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep
from serve_app.openapi_parts import PUBLIC, problems
from serve_app.security.quota import Policy

router = APIRouter(prefix="/auth", tags=["auth"])

FORGOTTEN = Policy("password_forgotten", quota=30, window_s=3600)
"""Requests of one address. Per account no more than `password_reset.LINKS_PER_HOUR` are mailed, without a word."""

ON_ITS_WAY = "If there is an account with this address, a link to choose a new password is on its way to it."


@router.post(
    "/email/verification",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=MailOnItsWay,
    responses=problems(403, 409),
)
async def request_verification(principal: LoginPrincipal, session: DbSession) -> Any:
    """Have the link that verifies one's e-mail address mailed again: once a minute, five times an hour."""
    await verification.request(session, principal.user_id)
    return MailOnItsWay(detail="The link is on its way to your address.")


@router.post("/email/verify", response_model=EmailVerified, openapi_extra=PUBLIC)
async def verify_email(body: EmailVerify, resources: ResourcesDep) -> Any:
    """Follow the mailed link: the address is verified. The link works once, for a day, for that address."""
    async with resources.database.transaction() as session:
        user = await verification.verify(session, body.token)
    resources.authenticator.forget(user_id=user.id)
    return EmailVerified(email=user.email)


@router.post(
    "/password/forgot",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=MailOnItsWay,
    openapi_extra=PUBLIC,
)
async def forgot_password(
    body: PasswordForgotten, request: Request, session: DbSession, resources: ResourcesDep
) -> Any:
    """Have a link to choose a new password mailed. The answer is the same whether or not there is such an account."""
    decision = await resources.keeper.take(
        FORGOTTEN, f"address:{caller_network(resources.addresses.find(request.scope))}"
    )
    if not decision.allowed:
        raise TooManyMails(retry_after_s=decision.retry_after_s)
    await password_reset.request(session, body.email)
    return MailOnItsWay(detail=ON_ITS_WAY)


@router.post(
    "/password/reset",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=PUBLIC,
    responses=problems(503),
)
async def reset_password(body: PasswordReset, resources: ResourcesDep) -> None:
    """Choose a new password with the mailed link. Ends all sessions; signs nobody in, so a second factor is asked for.

    The link works once, for half an hour. Following it proves the address, too.
    """
    async with resources.database.transaction(read_only=True) as session:
        user = await password_reset.look(session, body.token)
    await refuse_weak_password(resources, body.new_password, context=(user.email, user.username), field="new_password")
    password_hash = await resources.passwords.hash(body.new_password)
    async with resources.database.transaction(acting_user_id=user.id) as session:
        await password_reset.spend(session, body.token)
        changes = {"password_hash": password_hash, "is_verified": True}
        await users.update_user(session, user.id, changes, actor_id=user.id)
        await service.revoke_all(session, user.id, reason="password_reset")
