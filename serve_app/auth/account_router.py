"""One's own account: profile, login sessions, API keys."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from db.auth import service
from db.auth.errors import ScopeNotHeld
from db.auth.models import ApiKey as ApiKeyRow
from db.auth.models import LoginSession as LoginSessionRow
from db.auth.permissions import PERMISSIONS
from serve_app.auth.changing import change_own_account
from serve_app.auth.schemas import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyList,
    ApiKeyRotate,
    CurrentUser,
    CurrentUserUpdate,
    LoginSession,
    LoginSessionList,
)
from serve_app.dependencies import DbSession, LoginPrincipal, ResourcesDep, require_of_keys
from serve_app.errors import CredentialInvalid
from serve_app.links import action, self_link
from serve_app.openapi_parts import problems
from serve_app.security.principal import Principal
from serve_app.users.presenting import present_current_user

router = APIRouter(prefix="/auth", tags=["auth"])

AccountReader = Annotated[Principal, Depends(require_of_keys("users:read"))]


@router.get("/me", response_model=CurrentUser)
async def me(principal: AccountReader, session: DbSession) -> Any:
    """The person who is signed in. A key needs `users:read`."""
    identity = await service.load_identity(session, principal.user_id)
    if identity is None:
        raise CredentialInvalid
    return present_current_user(identity.user, principal)


@router.patch("/me", response_model=CurrentUser, responses=problems(403, 409))
async def update_me(
    body: CurrentUserUpdate, principal: LoginPrincipal, request: Request, resources: ResourcesDep
) -> Any:
    """Change one's own account. A new password ends all other sessions."""
    address = resources.addresses.find(request.scope)
    user = await change_own_account(resources, principal, body, address=address)
    return present_current_user(user, principal)


@router.get("/sessions", response_model=LoginSessionList)
async def list_sessions(principal: LoginPrincipal, session: DbSession) -> Any:
    """Where one is signed in."""
    rows = await service.list_sessions(session, principal.user_id)
    return {"items": [_present_session(row, principal) for row in rows]}


@router.delete("/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def revoke_session(session_id: UUID, principal: LoginPrincipal, session: DbSession) -> None:
    """Sign a device out. Its open sockets are closed."""
    await service.revoke_session(session, principal.user_id, session_id, reason="revoked")


@router.get("/api-keys", response_model=ApiKeyList)
async def list_api_keys(principal: LoginPrincipal, session: DbSession) -> Any:
    """One's API keys."""
    rows = await service.list_api_keys(session, principal.user_id)
    return {"items": [_present_key(row) for row in rows]}


@router.post("/api-keys", status_code=status.HTTP_201_CREATED, response_model=ApiKeyCreated, responses=problems(403))
async def create_api_key(body: ApiKeyCreate, principal: LoginPrincipal, session: DbSession, response: Response) -> Any:
    """Make an API key. Its secret is in this answer and nowhere else."""
    _refuse_scopes(principal, body.scopes)
    created = await service.create_api_key(
        session,
        principal.user_id,
        name=body.name,
        scopes=body.scopes,
        expires_in=None if body.expires_in_days is None else timedelta(days=body.expires_in_days),
        ip_allow_list=body.allowed_ips,
        methods=body.methods,
        namespaces=body.namespaces,
    )
    response.headers["Cache-Control"] = "no-store"
    return ApiKeyCreated(**_present_key(created.key).model_dump(), key=created.text)


@router.post(
    "/api-keys/{key_id}/rotate",
    status_code=status.HTTP_201_CREATED,
    response_model=ApiKeyCreated,
    responses=problems(404),
)
async def rotate_api_key(
    key_id: UUID,
    principal: LoginPrincipal,
    session: DbSession,
    resources: ResourcesDep,
    response: Response,
    body: ApiKeyRotate | None = None,
) -> Any:
    """Replace a key by a new one with the same rights. The old one goes on for the overlap, so that nothing stops."""
    keys = await service.list_api_keys(session, principal.user_id)
    _refuse_scopes(principal, [scope for key in keys if key.id == key_id for scope in key.scopes])
    overlap = timedelta(hours=(body or ApiKeyRotate()).overlap_hours)
    created = await service.rotate_api_key(session, principal.user_id, key_id, overlap=overlap)
    resources.authenticator.forget(user_id=principal.user_id)
    response.headers["Cache-Control"] = "no-store"
    return ApiKeyCreated(**_present_key(created.key).model_dump(), key=created.text)


@router.delete("/api-keys/{key_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(404))
async def revoke_api_key(key_id: UUID, principal: LoginPrincipal, session: DbSession, resources: ResourcesDep) -> None:
    """Revoke an API key."""
    await service.revoke_api_key(session, principal.user_id, key_id)
    resources.authenticator.forget(user_id=principal.user_id)


def _refuse_scopes(principal: Principal, scopes: Sequence[str]) -> None:
    """A key may not take along what its owner may not do from here (OPERATOR_NETWORKS). Raises ScopeNotHeld."""
    if missing := sorted((set(scopes) & PERMISSIONS.keys()) - principal.permissions):
        raise ScopeNotHeld(details={"scopes": missing})


def _present_session(row: LoginSessionRow, principal: Principal) -> LoginSession:
    path = f"/auth/sessions/{row.id}"
    return LoginSession.of(
        row,
        expires_at=row.absolute_expires_at,
        current=row.id == principal.session_id,
        links=self_link(path) | {"revoke": action(path, "DELETE")},
    )


def _present_key(row: ApiKeyRow) -> ApiKey:
    path = f"/auth/api-keys/{row.id}"
    return ApiKey.of(
        row,
        prefix=f"sk_live_{row.public_id}",
        allowed_ips=row.ip_allow_list,
        links=self_link(path) | {"revoke": action(path, "DELETE"), "rotate": action(f"{path}/rotate", "POST")},
    )
