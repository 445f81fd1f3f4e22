"""The audit trail: who did what that security depends on, and what became of accounts."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from db.audit import service
from serve_app.audit.schemas import AccountChange, AuditEntry
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.openapi_parts import problems
from serve_app.pagination import CursorQuery, by_cursor, read_cursor
from serve_app.schemas import Page
from serve_app.security.principal import Principal

router = APIRouter(prefix="/audit", tags=["audit"])

AuditReader = Annotated[Principal, Depends(require("audit:read"))]


class AuditQuery(CursorQuery):
    """Filters of the audit trail."""

    action: Annotated[str | None, Field(max_length=60, examples=["login.failed"])] = None
    actor_id: UUID | None = None
    subject_type: Annotated[str | None, Field(max_length=40, examples=["user"])] = None
    subject_id: Annotated[str | None, Field(max_length=512)] = None


@router.get("/entries", response_model=Page[AuditEntry], responses=problems(403))
async def list_audit_entries(
    query: Annotated[AuditQuery, Query()],
    _principal: AuditReader,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """Security-relevant acts, newest first."""
    found = await service.list_entries(
        session,
        action=query.action,
        actor_id=query.actor_id,
        subject_type=query.subject_type,
        subject_id=query.subject_id,
        cursor=read_cursor(request, resources.links, query.cursor),
        limit=query.limit,
    )
    return by_cursor(
        found,
        AuditEntry.model_validate,
        request=request,
        response=response,
        signer=resources.links,
        limit=query.limit,
    )


@router.get("/users/{user_id}/changes", response_model=Page[AccountChange], responses=problems(403))
async def list_account_changes(
    user_id: UUID,
    query: Annotated[CursorQuery, Query()],
    _principal: AuditReader,
    request: Request,
    response: Response,
    session: DbSession,
    resources: ResourcesDep,
) -> Any:
    """What happened to one account, also to one that is gone, newest first."""
    cursor = read_cursor(request, resources.links, query.cursor)
    found = await service.list_user_changes(session, user_id, cursor=cursor, limit=query.limit)
    return by_cursor(
        found,
        AccountChange.model_validate,
        request=request,
        response=response,
        signer=resources.links,
        limit=query.limit,
    )
