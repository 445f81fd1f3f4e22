"""Who is online, and what they say about themselves."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from actors.sessions.contract import SessionClient
from db.errors import Unavailable
from db.presence import service
from serve_app.dependencies import ResourcesDep, require
from serve_app.openapi_parts import problems
from serve_app.presence.reading import present_users
from serve_app.presence.schemas import StatusChange, UserPresence, UserPresences
from serve_app.resources import Resources
from serve_app.security.principal import Principal

router = APIRouter(prefix="/presence", tags=["presence"])

NEEDED = "conversations:use"
Speaker = Annotated[Principal, Depends(require(NEEDED))]


@router.get("", response_model=UserPresences, responses=problems(403, 503))
async def list_presence(
    principal: Speaker,
    resources: ResourcesDep,
    user: Annotated[list[str], Query(min_length=1, max_length=service.MAX_USERS, description="Ids of users.")],
) -> Any:
    """Who of these users is online, when they were last active, and what they say about themselves."""
    return {"items": await present_users(resources.database, _sessions(resources), user)}


@router.get("/me", response_model=UserPresence, responses=problems(403, 503))
async def get_own_presence(principal: Speaker, resources: ResourcesDep) -> Any:
    """One's own presence as others see it."""
    return (await present_users(resources.database, _sessions(resources), [str(principal.user_id)]))[0]


@router.put("/me", response_model=UserPresence, responses=problems(403, 503))
async def set_own_status(body: StatusChange, principal: Speaker, resources: ResourcesDep) -> Any:
    """Say something about oneself, until it expires or is replaced."""
    user = str(principal.user_id)
    async with resources.database.transaction() as session:
        await service.set_status(session, user, status=body.status, message=body.message, expires_in_s=body.expires_in)
    return (await present_users(resources.database, _sessions(resources), [user]))[0]


def _sessions(resources: Resources) -> SessionClient:
    if resources.actors.sessions is None:
        raise Unavailable("Who is connected cannot be read now.")
    return resources.actors.sessions
