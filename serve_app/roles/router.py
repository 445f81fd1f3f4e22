"""Which roles there are."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from db.auth import repository
from serve_app.dependencies import DbSession, require
from serve_app.openapi_parts import problems
from serve_app.roles.schemas import PermissionSummary, Role, RoleList
from serve_app.security.principal import Principal

router = APIRouter(prefix="/roles", tags=["users"])


@router.get("", response_model=RoleList, responses=problems(403))
async def list_roles(principal: Annotated[Principal, Depends(require("users:read"))], session: DbSession) -> Any:
    """Every role and what it allows. Whoever reads accounts sees what they hold, and may know what that means."""
    return RoleList(
        items=[
            Role(
                name=role.name,
                description=role.description,
                permissions=[PermissionSummary.model_validate(one) for one in allowed],
            )
            for role, allowed in await repository.known_roles(session)
        ]
    )
