"""Finding people."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from db.users import service
from serve_app.auth.schemas import UserSummary
from serve_app.dependencies import DbSession, require
from serve_app.directory.schemas import DirectoryPage
from serve_app.openapi_parts import problems
from serve_app.security.principal import Principal

router = APIRouter(prefix="/directory", tags=["directory"])

NEEDED = "conversations:use"


@router.get("", response_model=DirectoryPage, responses=problems(403))
async def search_directory(
    principal: Annotated[Principal, Depends(require(NEEDED))],
    session: DbSession,
    q: Annotated[str, Query(max_length=50, description="Part of a username.")] = "",
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
) -> Any:
    """Active people by part of their username: enough to start a conversation, and no more."""
    found = await service.search_directory(session, q, limit=limit)
    return DirectoryPage(items=[UserSummary.model_validate(user) for user in found])
