"""The realtime application as ASGI: its lifespan opens the hub, the paths below `/connection` feed it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from actors.brokers.contract import BrokerClient
from actors.metrics.registry import REFUSED_CONNECTIONS
from actors.namespaces.watching import WatchedNamespaces
from actors.protocol.namespaces import Namespaces
from actors.sessions.contract import SessionClient
from cluster import names, proxies, telemetry
from cluster.settings import Settings
from db.effects import PositionRead
from db.session import Database
from serve_app.edge.admission import Admission, ConnectRefused
from serve_app.edge.arrival import EXTENSION, Arrival
from serve_app.edge.origin import is_allowed
from serve_app.edge.refusal import RETRY_AFTER_S, refuse
from serve_app.edge.websocket import AsgiSocket, TransportProtocol
from serve_app.openapi import VERSION
from serve_app.presence.methods import PresenceMethods
from serve_app.products.live_stock import LiveStock
from serve_app.realtime import permissions
from serve_app.realtime.environment import Environment, Limits
from serve_app.realtime.handlers import Handlers
from serve_app.realtime.hub import Hub, new_boot_id, unix_time
from serve_app.realtime.reading import Reading, announcer
from serve_app.realtime.session_ids import SessionIds
from serve_app.realtime.streams import METHODS, HttpConnections
from serve_app.realtime.tokens import SignedTokens
from serve_app.realtime.wire import JSON_MESSAGES, JSON_WEBSOCKET, PROTOBUF_MESSAGES, PROTOBUF_WEBSOCKET, Wire

JSON_SUBPROTOCOL: Final = "centrifuge-json"
PROTOBUF_SUBPROTOCOL: Final = "centrifuge-protobuf"

logger = structlog.get_logger(__name__)


async def _agreed(_version: str) -> None:
    """There is nobody to agree with."""


@dataclass(slots=True)
class Backends:
    """What a hub talks to, and how to start and stop that."""

    brokers: BrokerClient
    sessions: SessionClient
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    agree: Callable[[str], Awaitable[None]] = _agreed
    """Returns when the shards have this version of the namespaces, or it is no use to wait longer."""


Connect = Callable[[Hub], Backends]
"""Clients of the shards for this hub, which is their sink."""


class RealtimeApplication:
    """One process's hub behind ASGI."""

    def __init__(self, settings: Settings, connect: Connect, *, database: Database | None = None) -> None:
        self._settings = settings
        self._connect = connect
        self._database = database
        self._allowed_origins = frozenset({settings.public_url, *settings.backend_cors_origins})
        self._http_connections = HttpConnections(self._allowed_origins, self._turn)
        self._backends: Backends | None = None
        self._draining = False
        self._admission = Admission(
            rate_per_s=settings.realtime_connect_rate,
            address_rate_per_s=settings.realtime_connect_rate_per_address,
            unauthenticated_per_address=settings.realtime_unauthenticated_per_address,
            exempt=proxies.Networks(proxies.trusted(settings)),
            jitter=random.random,
        )
        self.hub: Hub | None = None
        self.watched: WatchedNamespaces | None = None
        self._watching: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    # Life

    async def open(self) -> None:
        """Build the hub and connect it. Raises ValueError for what is wrong with settings or namespaces."""
        settings = self._settings
        track_secret = settings.realtime_shared_poll_secret.get_secret_value().encode()
        handlers = Handlers(self._database)
        if self._database is not None:
            permissions.register(handlers)
            Reading(self._database, lambda: environment.namespaces).register(handlers)
            PresenceMethods(self._database, self._session_client).register(handlers)
            LiveStock(self._database, track_secret, unix_time).register(handlers)
            self._database.on_commit(PositionRead, announcer(self._broker_client, lambda: environment.namespaces))
        handlers.discover()
        watched = WatchedNamespaces(settings.namespaces_file, check=handlers.missing)
        environment = Environment(
            namespaces=watched.current,
            mistakes=lambda: watched.mistakes,
            verifier=SignedTokens.from_settings(settings),
            version=VERSION,
            wall=unix_time,
            jitter=random.random,
            insecure=settings.realtime_insecure and settings.environment != "production",
            anonymous=settings.realtime_anonymous,
            asks_on_connect=handlers.connect_handler is not None,
            rpc_methods=handlers.rpc_methods,
            polls=handlers.polls,
            track_secret=track_secret,
            handles_messages=handlers.message_handler is not None,
            limits=Limits.from_settings(settings),
            session_ids=SessionIds(settings.secret_key.get_secret_value().encode()),
        )
        hub = Hub(new_boot_id(), environment, handlers, max_connections=settings.max_connections)
        backends = self._connect(hub)
        await backends.start()
        hub.start(backends.brokers, backends.sessions)
        self._backends, self.hub, self.watched = backends, hub, watched
        self._watching = asyncio.create_task(watched.watch(self._take_rules), name="namespaces")
        logger.info("hub_started", hub=hub.boot_id)

    def _session_client(self) -> SessionClient | None:
        return self._backends.sessions if self._backends is not None else None

    def _broker_client(self) -> BrokerClient | None:
        return self._backends.brokers if self._backends is not None else None

    async def close(self) -> None:
        """End the hub and its connections to the shards."""
        hub, self.hub = self.hub, None
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if hub is not None:
            await hub.stop()
        if self._backends is not None:
            await self._backends.stop()
        if self._database is not None:
            await self._database.dispose()

    async def _take_rules(self, namespaces: Namespaces) -> None:
        """Other rules: the shards have them first, so that they know every channel that a client may now ask for."""
        if self._backends is not None:
            await self._backends.agree(namespaces.version)
        if self.hub is not None:
            self.hub.replace_namespaces(namespaces)

    async def drain(self, window_s: float) -> None:
        """Accept nobody any more and close everybody within the window."""
        self._draining = True
        if self.hub is not None:
            await self.hub.drain(window_s)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except Exception as reason:
            logger.exception("hub_start_failed")
            await send({"type": "lifespan.startup.failed", "message": str(reason)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await telemetry.flush_aside()
        await send({"type": "lifespan.shutdown.complete"})

    # Requests

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, hub = _path(scope), self.hub
        if path in METHODS:
            # A process that drains still takes commands; a new connection is refused when its turn comes.
            if hub is None or self._backends is None:
                detail = "This process is not serving."
                await refuse(scope, receive, send, status=503, code="unavailable", detail=detail)
                return
            await self._http_connections.serve(path, hub, self._backends.sessions, scope, receive, send)
            return
        if path != "/health":
            await refuse(scope, receive, send, status=404, code="not_found", detail="There is nothing at this path.")
            return
        status = 503 if hub is None or self._draining else 200
        report: dict[str, Any] = {"status": "healthy" if status == 200 else "unavailable"}
        if hub is not None:
            report |= {"connections": hub.connections, "channels": len(hub.channels)}
        if self.watched is not None:
            mistakes = len(self.watched.mistakes)
            report["namespaces"] = {"version": self.watched.current.version, "mistakes": mistakes}
        body = orjson.dumps(report)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _path(scope) != "/websocket":
            await refuse(scope, receive, send, status=404, code="not_found", detail="There is nothing at this path.")
            return
        arrival = Arrival.of(scope)
        hub = await self.admit(arrival, scope, receive, send)
        if hub is not None:
            await self._serve(hub, arrival, scope, receive, send)

    async def admit(self, arrival: Arrival, scope: Scope, receive: Receive, send: Send) -> Hub | None:
        """The hub for a new connection of any transport, once it is its turn; None: it was refused with a reason."""
        try:
            return await self._turn(arrival, scope)
        except ConnectRefused as reason:
            REFUSED_CONNECTIONS.labels(reason.code).inc()
            await refuse(
                scope,
                receive,
                send,
                status=reason.status,
                code=reason.code,
                detail=reason.detail,
                retry_after_s=reason.retry_after_s,
            )
            return None

    async def _turn(self, arrival: Arrival, scope: Scope) -> Hub:
        """Wait for this arrival's turn. Raises ConnectRefused."""
        if not is_allowed(scope["headers"], self._allowed_origins):
            raise ConnectRefused(403, "origin_not_allowed", "This origin may not connect.", RETRY_AFTER_S)
        unauthenticated = self._serving().unauthenticated(arrival.address)
        wait_s = self._admission.ask(arrival.address, unauthenticated, asyncio.get_running_loop().time())
        if wait_s:
            await asyncio.sleep(wait_s)
        hub = self._serving()
        if hub.is_full:
            detail = "This process has as many connections as it may."
            raise ConnectRefused(503, "connection_limit", detail, RETRY_AFTER_S)
        return hub

    def _serving(self) -> Hub:
        if self.hub is None or self._draining:
            raise ConnectRefused(503, "unavailable", "This process is not serving.", RETRY_AFTER_S)
        return self.hub

    async def _serve(self, hub: Hub, arrival: Arrival, scope: Scope, receive: Receive, send: Send) -> None:
        binary = _wants_protobuf(scope)
        await receive()
        await send({"type": "websocket.accept", "subprotocol": _subprotocol(scope, binary=binary)})
        transport = scope.get("extensions", {}).get(EXTENSION)
        if isinstance(transport, TransportProtocol):
            wire = PROTOBUF_WEBSOCKET if binary else JSON_WEBSOCKET
            transport.adopt(hub, wire, arrival, native_ping=_wants_native_ping(scope))
        else:
            await _serve_messages(hub, arrival, PROTOBUF_MESSAGES if binary else JSON_MESSAGES, receive, send)


async def _serve_messages(hub: Hub, arrival: Arrival, wire: Wire, receive: Receive, send: Send) -> None:
    """A socket of an ASGI server that offers no transport."""
    socket = AsgiSocket(wire, send, on_slow=lambda: hub.too_slow(peer))
    peer = hub.open(socket, arrival)
    writer = asyncio.get_running_loop().create_task(socket.drain())
    try:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            hub.receive(peer, text.encode() if text is not None else message.get("bytes") or b"")
    finally:
        hub.lost(peer)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


def _path(scope: Scope) -> str:
    """The path below the application's prefix, whether or not Serve has mounted it."""
    path: str = scope["path"]
    return path.removeprefix(names.REALTIME_ROUTE_PREFIX)


def _wants_protobuf(scope: Scope) -> bool:
    if PROTOBUF_SUBPROTOCOL in scope.get("subprotocols", ()):
        return True
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return "protobuf" in (*query.get("cf_protocol", ()), *query.get("format", ()))


def _wants_native_ping(scope: Scope) -> bool:
    """For programs that answer ping frames and know nothing of the protocol's own pings."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query.get("cf_ws_frame_ping_pong") == ["true"]


def _subprotocol(scope: Scope, *, binary: bool) -> str | None:
    wanted = PROTOBUF_SUBPROTOCOL if binary else JSON_SUBPROTOCOL
    return wanted if wanted in scope.get("subprotocols", ()) else None
