"""Clear answers of the edge itself, before any application has seen the request."""

import json
from collections.abc import Sequence
from typing import Final

from starlette.types import Receive, Scope, Send

from serve_app.statuses import phrase_of

RETRY_AFTER_S: Final = 2
TRY_AGAIN_LATER: Final = 1013
"""WebSocket close code for a server that cannot serve now."""

Header = tuple[bytes, bytes]


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    status: int,
    code: str,
    detail: str,
    retry_after_s: int = RETRY_AFTER_S,
    extra: Sequence[Header] = (),
) -> None:
    """Refuse an HTTP request or a WebSocket handshake. 429 and 503 say when to come back. `extra`: more headers."""
    title = phrase_of(status)
    document = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        *extra,
    ]
    if status in (429, 503):
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await receive()
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body})
    else:
        await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": detail})
