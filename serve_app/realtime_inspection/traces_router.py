"""Live traces: start one, see which there are, stop one."""

import uuid
from typing import Any

import orjson
from fastapi import APIRouter, Response, status

from actors.brokers.contract import BrokerError, PublishRequest
from db import audit
from db.errors import Conflict, InvalidInput, NotFound, Unavailable
from serve_app.dependencies import DbSession, ResourcesDep
from serve_app.links import ROOT
from serve_app.openapi_parts import LOCATION_HEADER, problems
from serve_app.realtime import questions as ask
from serve_app.realtime_inspection import presenting
from serve_app.realtime_inspection.router import RealtimeAdmin, reachable
from serve_app.realtime_inspection.schemas import RealtimeTrace, RealtimeTraceList, TraceCreate
from serve_app.resources import Resources

router = APIRouter(prefix="/realtime/traces", tags=["realtime"])


class TraceNotFound(NotFound):
    """No realtime process that answered has this trace."""

    code = "trace_not_found"
    default_message = "There is no such trace; it may have ended."


class TooManyTraces(Conflict):
    """Every realtime process traces as much as it may."""

    code = "too_many_traces"
    default_message = "Too much is traced already; stop a trace first."


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=RealtimeTrace,
    responses=problems(403, 409, 503) | {201: {"headers": LOCATION_HEADER}},
)
async def start_realtime_trace(
    body: TraceCreate, principal: RealtimeAdmin, resources: ResourcesDep, session: DbSession, response: Response
) -> Any:
    """Trace a user, a connection or a channel for a while. What is seen comes live in `trace_channel`."""
    if body.channel is not None and body.channel.startswith(ask.TRACE_PREFIX):
        raise InvalidInput("a channel that is no trace itself", field="channel")
    order = ask.StartTrace(
        uuid.uuid4().hex, body.user or "", body.client or "", body.channel or "", body.seconds, body.frames
    )
    await _announce(resources, order)
    async with reachable(resources) as sessions:
        found = await sessions.ask_hubs(ask.encode(order))
    tracing = [hub for hub, answer in found.answers.items() if ask.is_done(answer)]
    if not tracing:
        raise TooManyTraces if found.answers else Unavailable("No realtime process answers.")
    await audit.record(
        session,
        "realtime.trace_started",
        subject_type="trace",
        subject_id=order.id,
        actor_id=principal.user_id,
        details=body.model_dump(exclude_none=True),
    )
    response.headers["Location"] = f"{ROOT}/realtime/traces/{order.id}"
    return presenting.trace(order, tracing, 0)


async def _announce(resources: Resources, order: ask.StartTrace) -> None:
    """Open the trace's channel: where it cannot be published to, a trace would be blind."""
    if resources.actors.brokers is None:
        raise Unavailable("The realtime shards cannot be reached.")
    data = orjson.dumps(
        {
            "type": "start",
            "user": order.user,
            "client": order.client,
            "channel": order.channel,
            "seconds": order.seconds,
        }
    )
    try:
        await resources.actors.brokers.publish(PublishRequest(ask.TRACE_PREFIX + order.id, data, uuid.uuid4().hex))
    except BrokerError as reason:
        raise Unavailable(f"The trace cannot be published: {reason.message}") from reason


@router.get("", response_model=RealtimeTraceList, responses=problems(403, 503))
async def list_realtime_traces(_principal: RealtimeAdmin, resources: ResourcesDep) -> Any:
    """Traces that are under way."""
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ask.AskTraces(), ask.TracePage)
    found = presenting.traces(report for page in survey.answers for report in page.traces)
    return {"items": found, "silent": list(survey.silent)}


@router.get("/{trace_id}", response_model=RealtimeTrace, responses=problems(403, 404, 503))
async def get_realtime_trace(trace_id: str, principal: RealtimeAdmin, resources: ResourcesDep) -> Any:
    """One trace."""
    listed = await list_realtime_traces(principal, resources)
    for trace in listed["items"]:
        if trace.id == trace_id:
            return trace
    raise TraceNotFound


@router.delete(
    "/{trace_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(403, 404, 503),
)
async def stop_realtime_trace(trace_id: str, _principal: RealtimeAdmin, resources: ResourcesDep) -> None:
    """End a trace before its time."""
    async with reachable(resources) as sessions:
        survey = await ask.ask(sessions, ask.StopTrace(trace_id), ask.Done)
    if not any(done.found for done in survey.answers):
        raise TraceNotFound
