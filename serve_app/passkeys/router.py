"""The caller's own passkeys: list, add, rename, remove."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response, status
from webauthn.helpers import bytes_to_base64url

from db.auth.models import WebauthnCredential
from db.passkeys import challenges, service
from db.passkeys.ceremonies import Site
from db.passkeys.service import MAX_PASSKEYS
from serve_app.auth.changing import proven
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep
from serve_app.links import action, self_link
from serve_app.openapi_parts import problems
from serve_app.passkeys.schemas import (
    Passkey,
    PasskeyCreate,
    PasskeyList,
    PasskeyOptions,
    PasskeyProof,
    PasskeyUpdate,
)

PATH = "/auth/passkeys"

router = APIRouter(tags=["passkeys"])


@router.get(PATH, response_model=PasskeyList)
async def list_passkeys(principal: LoginPrincipal, session: DbSession, resources: ResourcesDep) -> Any:
    """One's passkeys, in the order in which they were added."""
    rows = await service.list_passkeys(session, principal.user_id)
    site = Site.of(resources.settings.public_url)
    return {"items": [_present(row) for row in rows], "limit": MAX_PASSKEYS, "rp_id": site.id}


@router.post(f"{PATH}/options", response_model=PasskeyOptions, responses=problems(403, 409, 503))
async def begin_passkey(
    body: PasskeyProof, principal: LoginPrincipal, request: Request, response: Response, resources: ResourcesDep
) -> Any:
    """Begin to add a passkey: what to ask an authenticator. Good for one answer, within five minutes."""
    address = resources.addresses.find(request.scope)
    proof = proven(resources, principal.user_id, password=body.current_password, code=body.code, address=address)
    async with proof as session:
        options = await service.begin(session, Site.of(resources.settings.public_url), principal.user_id)
    response.headers["Cache-Control"] = "no-store"
    return PasskeyOptions(options=options, expires_in=int(challenges.LIFE.total_seconds()))


@router.post(PATH, status_code=status.HTTP_201_CREATED, response_model=Passkey, responses=problems(409))
async def add_passkey(
    body: PasskeyCreate, principal: LoginPrincipal, session: DbSession, resources: ResourcesDep
) -> Any:
    """Add the passkey that an authenticator made. Its owner is told by mail."""
    row = await service.add(
        session,
        Site.of(resources.settings.public_url),
        principal.user_id,
        body.credential.model_dump(by_alias=True),
        name=body.name,
    )
    return _present(row)


@router.patch(f"{PATH}/{{passkey_id}}", response_model=Passkey, responses=problems(404))
async def rename_passkey(passkey_id: UUID, body: PasskeyUpdate, principal: LoginPrincipal, session: DbSession) -> Any:
    """Call a passkey something else."""
    return _present(await service.rename(session, principal.user_id, passkey_id, name=body.name))


@router.post(f"{PATH}/{{passkey_id}}/remove", status_code=status.HTTP_204_NO_CONTENT, responses=problems(403, 404, 503))
async def remove_passkey(
    passkey_id: UUID, body: PasskeyProof, principal: LoginPrincipal, request: Request, resources: ResourcesDep
) -> None:
    """Remove a passkey: it signs nobody in any more. Sessions that it opened go on. Its owner is told by mail."""
    address = resources.addresses.find(request.scope)
    proof = proven(resources, principal.user_id, password=body.current_password, code=body.code, address=address)
    async with proof as session:
        await service.remove(session, principal.user_id, passkey_id)


def _present(row: WebauthnCredential) -> Passkey:
    path = f"{PATH}/{row.id}"
    return Passkey.of(
        row,
        credential_id=bytes_to_base64url(row.credential_id),
        synced=row.backed_up,
        links=self_link(path) | {"rename": action(path, "PATCH"), "remove": action(f"{path}/remove", "POST")},
    )
