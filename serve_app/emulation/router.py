"""`POST /emulation`: where SDKs post commands beside a stream unless they are told another address.

An application of Serve has one route prefix, so the stream itself is at `/connection/…`, and `/connection/emulation`
beside it is the shorter way: this one always goes through a session shard.
"""

from fastapi import APIRouter, Request, Response

from actors.protocol import emulation
from actors.protocol.codec import MAX_FRAME_BYTES
from actors.sessions.contract import SessionsUnreachable
from db.errors import NotFound, Unavailable
from serve_app.dependencies import ResourcesDep
from serve_app.errors import ContentTooLarge, HttpError

BINARY = "application/octet-stream"

router = APIRouter(tags=["realtime"])


class EmulationUnreadable(HttpError):
    """A body that is no emulation request."""

    code = "emulation_unreadable"
    default_message = "The body must have node, session and data, as the connect reply and the SDK give them."
    status = 400


class SessionUnknown(NotFound):
    """No such emulated session."""

    code = "session_unknown"
    default_message = "There is no such session: it has ended, or was never there. Connect again."


@router.post("/emulation", status_code=204, include_in_schema=False)
async def emulate(request: Request, resources: ResourcesDep) -> Response:
    """Hand commands to the process that owns the session. 204 when it has them."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FRAME_BYTES:
            raise ContentTooLarge(f"A body may have {MAX_FRAME_BYTES} bytes.")
    binary = request.headers.get("content-type", "").startswith(BINARY)
    try:
        node, session, frame = emulation.decode(bytes(body), binary=binary)
    except emulation.NoEmulationRequest as reason:
        raise EmulationUnreadable(f"{EmulationUnreadable.default_message} ({reason})") from None
    if not resources.session_ids.is_ours(node, session):
        raise SessionUnknown
    if resources.actors.sessions is None:
        raise Unavailable("The realtime shards cannot be reached.")
    try:
        found = await resources.actors.sessions.emulate(node, session, frame)
    except SessionsUnreachable as reason:
        raise Unavailable(f"The session cannot be reached: {reason}.") from None
    if not found:
        raise SessionUnknown
    return Response(status_code=204)
