"""Connections over HTTP: a response that carries replies, and requests beside it that carry commands.

`POST …/http_stream` answers with lines of JSON or length-prefixed Protobuf, `…/sse` with server-sent events, and
`POST …/emulation` takes the commands of either, in whichever process it arrives.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from actors.metrics.registry import REFUSED_CONNECTIONS
from actors.protocol import emulation
from actors.protocol.codec import MAX_FRAME_BYTES
from actors.sessions.contract import SessionClient, SessionsUnreachable
from serve_app.edge.admission import ConnectRefused
from serve_app.edge.arrival import EXTENSION, Arrival
from serve_app.edge.body import ClientGone, Refused, read_body
from serve_app.edge.origin import answer_headers, header, is_allowed, preflight_headers
from serve_app.edge.refusal import Header, refuse
from serve_app.edge.streaming import AsgiStream, StreamProtocol, gone
from serve_app.realtime.hub import Hub
from serve_app.realtime.wire import (
    EVENTS,
    EVENTS_BODY,
    JSON_STREAM,
    JSON_STREAM_BODY,
    PROTOBUF_STREAM,
    PROTOBUF_STREAM_BODY,
    Wire,
)

BINARY: Final = "application/octet-stream"

METHODS: Final = {"/http_stream": "POST, OPTIONS", "/sse": "GET, POST, OPTIONS", "/emulation": "POST, OPTIONS"}
"""What the three paths answer to, below the application's prefix."""

STREAM_HEADERS: Final = (
    # no-transform: a proxy that compresses holds replies back until it has enough of them.
    (b"cache-control", b"private, no-cache, no-store, must-revalidate, max-age=0, no-transform"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
    (b"connection", b"close"),
)

EVENTS_PRELUDE: Final = b"\r\n"
"""Written at once, so that an EventSource says that it is open."""


Turn = Callable[[Arrival, Scope], Awaitable[Hub]]
"""Waits for an arrival's turn and returns the hub that takes it. Raises ConnectRefused."""


class HttpConnections:
    """The three endpoints of one process."""

    def __init__(self, allowed_origins: Collection[str], turn: Turn) -> None:
        self._allowed_origins = allowed_origins
        self._turn = turn

    async def serve(
        self, path: str, hub: Hub, sessions: SessionClient, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer a request for one of METHODS. `hub` and `sessions` serve what is posted for emulated sessions."""
        headers, methods = scope["headers"], METHODS[path]
        if scope["method"] == "OPTIONS":
            answer = preflight_headers(headers, self._allowed_origins, methods)
            await send({"type": "http.response.start", "status": 204, "headers": answer})
            await send({"type": "http.response.body"})
            return
        cors = answer_headers(headers, self._allowed_origins)
        try:
            await self._answer(path, hub, sessions, cors, scope, receive, send)
        except Refused as reason:
            if reason.status == 405:
                cors.append((b"allow", methods.encode()))
            await refuse(scope, receive, send, status=reason.status, code=reason.code, detail=reason.detail, extra=cors)
        except ConnectRefused as refused:
            REFUSED_CONNECTIONS.labels(refused.code).inc()
            await refuse(
                scope,
                receive,
                send,
                status=refused.status,
                code=refused.code,
                detail=refused.detail,
                retry_after_s=refused.retry_after_s,
                extra=cors,
            )
        except ClientGone:
            return

    async def _answer(
        self,
        path: str,
        hub: Hub,
        sessions: SessionClient,
        cors: list[Header],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        methods = METHODS[path]
        if scope["method"] not in methods.split(", "):
            raise Refused(405, "method_not_allowed", f"This address answers to {methods}.")
        if not is_allowed(scope["headers"], self._allowed_origins):
            raise Refused(403, "origin_not_allowed", "This origin may not connect.")
        if path == "/emulation":
            await self._emulate(hub, sessions, scope, receive)
            await send({"type": "http.response.start", "status": 204, "headers": cors})
            await send({"type": "http.response.body"})
            return
        arrival = Arrival.of(scope)
        hub = await self._turn(arrival, scope)
        await self._stream(path, hub, arrival, cors, scope, receive, send)

    async def _stream(
        self,
        path: str,
        hub: Hub,
        arrival: Arrival,
        cors: list[Header],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        frame = await _first_frame(path, scope, receive)
        if path == "/sse":
            ready, plain, media_type, prelude = EVENTS, EVENTS_BODY, b"text/event-stream", EVENTS_PRELUDE
        elif header(scope["headers"], b"content-type").startswith(BINARY):
            ready, plain, media_type, prelude = PROTOBUF_STREAM, PROTOBUF_STREAM_BODY, BINARY.encode(), b""
        else:
            ready, plain, media_type, prelude = JSON_STREAM, JSON_STREAM_BODY, b"application/x-ndjson", b""
        answer = [(b"content-type", media_type), *STREAM_HEADERS, *cors]
        await send({"type": "http.response.start", "status": 200, "headers": answer})
        await send({"type": "http.response.body", "body": prelude, "more_body": True})
        transport = scope.get("extensions", {}).get(EXTENSION)
        if isinstance(transport, StreamProtocol):
            peer = transport.adopt(hub, ready, arrival)
            if peer is not None:
                hub.receive(peer, frame)
        else:
            await _serve_messages(hub, arrival, plain, frame, receive, send)

    async def _emulate(self, hub: Hub, sessions: SessionClient, scope: Scope, receive: Receive) -> None:
        body = await read_body(scope["headers"], receive, MAX_FRAME_BYTES)
        binary = header(scope["headers"], b"content-type").startswith(BINARY)
        try:
            node, session, frame = emulation.decode(body, binary=binary)
        except emulation.NoEmulationRequest as reason:
            raise Refused(400, "bad_request", str(reason)) from None
        if not hub.env.session_ids.is_ours(node, session):
            raise Refused(404, "not_found", "There is no such session.")
        try:
            found = hub.emulate(session, frame) if node == hub.boot_id else await sessions.emulate(node, session, frame)
        except SessionsUnreachable as reason:
            raise Refused(503, "unavailable", f"The session cannot be reached: {reason}.") from None
        if not found:
            raise Refused(404, "not_found", "There is no such session.")


async def _first_frame(path: str, scope: Scope, receive: Receive) -> bytes:
    """The frame with which the client connects: the body or, of a GET, the parameter `cf_connect`."""
    if scope["method"] == "GET":
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        frame: bytes = query.get("cf_connect", [""])[0].encode()
        if not frame:
            raise Refused(400, "bad_request", "The parameter cf_connect is missing.")
        if len(frame) > MAX_FRAME_BYTES:
            raise Refused(413, "content_too_large", f"cf_connect may have {MAX_FRAME_BYTES} bytes.")
        return frame
    frame = await read_body(scope["headers"], receive, MAX_FRAME_BYTES)
    if not frame:
        raise Refused(400, "bad_request", "The body must be a frame with the command connect.")
    return frame


async def _serve_messages(hub: Hub, arrival: Arrival, wire: Wire, frame: bytes, receive: Receive, send: Send) -> None:
    """A response on an ASGI server that offers no transport."""
    stream = AsgiStream(wire, send, on_slow=lambda: hub.too_slow(peer))
    peer = hub.open(stream, arrival)
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(stream.drain()), loop.create_task(gone(receive))]
    try:
        hub.receive(peer, frame)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.lost(peer)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
