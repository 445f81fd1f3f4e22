"""Write and read the audit trail."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from db.audit.callers import CALLER
from db.audit.models import AuditEntry, UserChange
from db.pagination import Cursor, CursorPage, SortOrder, fetch_cursor_page


async def record(
    session: AsyncSession,
    action: str,
    *,
    subject_type: str,
    subject_id: object,
    actor_id: UUID | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry, such as `session.revoked`, with the address and the request that it comes from.

    Never put secrets into `details`.
    """
    caller = CALLER.get()
    await session.execute(
        insert(AuditEntry).values(
            action=action,
            subject_type=subject_type,
            subject_id=str(subject_id),
            actor_id=actor_id,
            ip=caller.ip,
            request_id=caller.request_id,
            details=dict(details or {}),
        )
    )


async def list_entries(
    session: AsyncSession,
    *,
    actor_id: UUID | None = None,
    action: str | None = None,
    subject_type: str | None = None,
    subject_id: str | None = None,
    cursor: Cursor | None = None,
    limit: int = 50,
) -> CursorPage[AuditEntry]:
    """Entries, newest first."""
    statement = select(AuditEntry)
    if actor_id is not None:
        statement = statement.where(AuditEntry.actor_id == actor_id)
    if action is not None:
        statement = statement.where(AuditEntry.action == action)
    if subject_type is not None:
        statement = statement.where(AuditEntry.subject_type == subject_type)
    if subject_id is not None:
        statement = statement.where(AuditEntry.subject_id == subject_id)
    order = SortOrder("id", (AuditEntry.id,), descending=True)
    return await fetch_cursor_page(session, statement, order, cursor=cursor, limit=limit)


async def list_user_changes(
    session: AsyncSession, user_id: UUID, *, cursor: Cursor | None = None, limit: int = 50
) -> CursorPage[UserChange]:
    """What happened to one account, newest first."""
    statement = select(UserChange).where(UserChange.user_id == user_id)
    order = SortOrder("id", (UserChange.id,), descending=True)
    return await fetch_cursor_page(session, statement, order, cursor=cursor, limit=limit)
