"""Realtime processes and their connections: look, and end one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from actors.protocol.codes import DISCONNECT_FORCE
from actors.sessions.contract import SessionClient, SessionsUnreachable
from db import audit
from db.errors import NotFound, Unavailable
from serve_app.dependencies import DbSession, ResourcesDep, require
from serve_app.openapi_parts import problems
from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import presenting
from serve_app.realtime_inspection.schemas import (
    EndedConnectionList,
    RealtimeConnection,
    RealtimeConnectionList,
    RealtimeNodeList,
)
from serve_app.resources import Resources
from serve_app.security.principal import Principal

router = APIRouter(prefix="/realtime", tags=["realtime"])

RealtimeReader = Annotated[Principal, Depends(require("realtime:read"))]
RealtimeAdmin = Annotated[Principal, Depends(require("realtime:admin"))]

Id = Annotated[str | None, Field(max_length=255)]


class ConnectionNotFound(NotFound):
    """No realtime process that answered holds this connection."""

    code = "connection_not_found"
    default_message = "There is no such connection."


class ConnectionQuery(BaseModel):
    """Filters of the list of connections."""

    model_config = ConfigDict(extra="forbid")

    user: Id = Field(default=None, description="Of this user; empty: anonymous ones.")
    channel: Id = None
    session: Id = Field(default=None, description="Of this login session.")
    after: Id = Field(default=None, description="`next` of the page before.")
    limit: Annotated[int, Field(ge=1, le=ask.PAGE_MAX)] = 50


class EndingQuery(BaseModel):
    """Filters of the list of endings."""

    model_config = ConfigDict(extra="forbid")

    user: Id = None
    client: Id = None
    limit: Annotated[int, Field(ge=1, le=ask.PAGE_MAX)] = 50


@asynccontextmanager
async def reachable(resources: Resources) -> AsyncIterator[SessionClient]:
    """The way to the realtime processes. Raises Unavailable when there is none, or when it breaks."""
    if resources.actors.sessions is None:
        raise Unavailable("The realtime processes cannot be reached.")
    try:
        yield resources.actors.sessions
    except SessionsUnreachable as reason:
        raise Unavailable("The realtime processes cannot be reached.") from reason


@router.get(
    "/nodes",
    response_model=RealtimeNodeList,
    responses=problems(403, 503),
)
async def list_realtime_nodes(_principal: RealtimeReader, resources: ResourcesDep) -> Any:
    """The realtime processes, and what each holds."""
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ask.AskNode(), ask.NodeReport)
    found = sorted((presenting.node(report) for report in survey.answers), key=lambda node: (node.name, node.node))
    return {"items": found, "silent": list(survey.silent)}


@router.get(
    "/connections",
    response_model=RealtimeConnectionList,
    responses=problems(403, 503),
)
async def list_realtime_connections(
    query: Annotated[ConnectionQuery, Query()], principal: RealtimeReader, resources: ResourcesDep
) -> Any:
    """Who is connected, to what, since when, and how much they have not read."""
    question = ask.AskConnections(
        user=query.user,
        channel=query.channel or "",
        session=query.session or "",
        after=query.after or "",
        limit=query.limit,
    )
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, question, ask.ConnectionPage)
    held = sorted((held for page in survey.answers for held in page.connections), key=lambda found: found.client)
    page = held[: query.limit]
    more = len(held) > query.limit or any(len(part.connections) == query.limit for part in survey.answers)
    return {
        "items": [presenting.connection(each, principal) for each in page],
        "total": sum(part.total for part in survey.answers),
        "next": page[-1].client if page and more else None,
        "silent": list(survey.silent),
    }


@router.get(
    "/connections/{client}",
    response_model=RealtimeConnection,
    responses=problems(403, 404, 503),
)
async def get_realtime_connection(client: str, principal: RealtimeReader, resources: ResourcesDep) -> Any:
    """One connection, with all its channels."""
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ask.AskConnections(client=client, limit=1), ask.ConnectionPage)
    for page in survey.answers:
        for held in page.connections:
            return presenting.connection(held, principal)
    raise ConnectionNotFound


@router.delete(
    "/connections/{client}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404, 503),
)
async def close_realtime_connection(
    client: str, principal: RealtimeAdmin, resources: ResourcesDep, session: DbSession
) -> None:
    """End a connection with 3503: its client does not come back by itself."""
    ending = ask.CloseConnection(client, DISCONNECT_FORCE.code, DISCONNECT_FORCE.reason)
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ending, ask.Done)
    if not any(done.found for done in survey.answers):
        raise ConnectionNotFound
    await audit.record(
        session,
        "realtime.connection_closed",
        subject_type="connection",
        subject_id=client,
        actor_id=principal.user_id,
    )


@router.get(
    "/endings",
    response_model=EndedConnectionList,
    responses=problems(403, 503),
)
async def list_ended_connections(
    query: Annotated[EndingQuery, Query()], principal: RealtimeReader, resources: ResourcesDep
) -> Any:
    """How the last connections ended, and why."""
    question = ask.AskEndings(query.user, query.client or "", query.limit)
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, question, ask.EndingPage)
    found = sorted(
        (ended for page in survey.answers for ended in page.endings), key=lambda ended: ended.ended_ms, reverse=True
    )
    return {
        "items": [presenting.ending(ended, principal) for ended in found[: query.limit]],
        "silent": list(survey.silent),
    }
