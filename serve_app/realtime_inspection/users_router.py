"""Signing a user out everywhere, whoever issued their tokens."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, status
from sqlalchemy.ext.asyncio import AsyncSession

from db import audit
from db.auth import service as auth
from db.sessions import service as revocations
from serve_app.dependencies import DbSession
from serve_app.openapi_parts import problems
from serve_app.realtime_inspection.router import RealtimeAdmin

router = APIRouter(prefix="/realtime/users", tags=["realtime"])

REASON = "revoked_by_operator"


@router.delete(
    "/{user}/sessions",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 503),
)
async def revoke_realtime_user(
    user: Annotated[str, Path(max_length=255)], principal: RealtimeAdmin, session: DbSession
) -> None:
    """End all login sessions of a user, or void the tokens of another issuer's. Open sockets close with 3503."""
    account = await _account(session, user)
    if account is not None:
        await auth.revoke_all(session, account, reason=REASON, actor_id=principal.user_id)
        return
    await revocations.invalidate_user_tokens(session, user)
    await audit.record(
        session, "realtime.user_revoked", subject_type="user", subject_id=user, actor_id=principal.user_id
    )


async def _account(session: AsyncSession, user: str) -> UUID | None:
    """The user's account here; None for a user of another issuer."""
    try:
        user_id = UUID(user)
    except ValueError:
        return None
    return user_id if await auth.load_identity(session, user_id) is not None else None
