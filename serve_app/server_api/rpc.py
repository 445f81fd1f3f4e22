"""Methods of the application, called by servers."""

from typing import Any

import structlog

from actors.protocol import codes
from actors.protocol.frames import raw
from actors.protocol.json_codec import single_line
from serve_app.realtime.calls import CallError
from serve_app.server_api import schemas
from serve_app.server_api.registry import ADMIN, Context, Reach, Refused, method

logger = structlog.get_logger(__name__)


async def rpc(context: Context, body: schemas.Rpc) -> Any:
    """Call what the application registered with `Handlers.server_rpc`."""
    handler = context.handlers.server_methods.get(body.method)
    if handler is None:
        raise Refused(codes.ERROR_METHOD_NOT_FOUND)
    try:
        answer = await handler(bytes(body.params))
        data = single_line(answer) if answer else b"null"
    except CallError as reason:
        raise Refused(reason.error) from reason
    except Exception as reason:
        logger.exception("server_rpc_failed", method=body.method)
        raise Refused(codes.ERROR_INTERNAL) from reason
    return {"data": raw(data)}


METHODS = (method("rpc", ADMIN, schemas.Rpc, rpc, Reach.EVERYTHING),)
