"""The hook that Serve calls in every process that listens (RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH).

It sets uvicorn up for thousands of sockets and puts `EdgeMiddleware` outside Serve's request machinery: requests and
sockets are answered here, in the replica, while Serve keeps placement, health, rollout and scaling (DESIGN D3, D6).
"""

import asyncio
from typing import Any, Final

import structlog
import uvicorn
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.protocol.codec import MAX_FRAME_BYTES
from cluster import names, proxies
from cluster.settings import Settings, get_settings
from serve_app.edge.arrival import EXTENSION, LINES
from serve_app.edge.forwarded import ForwardedAddresses
from serve_app.edge.ongoing import ONGOING
from serve_app.edge.refusal import refuse
from serve_app.edge.replica import OwnReplica

SERVE_PATHS: Final = "/-/"
"""Health and routes, which Serve answers itself."""

DRAIN_LOOK_S: Final = 0.5
"""Serve calls nobody when a replica begins to drain: we look this often."""

DRAIN_RESERVE_S: Final = 5.0
"""Sockets are closed within the drain window less this, so that the last ones have left when the listener closes."""

TRUSTED_BY_SERVE: Final = frozenset(
    {b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"x-session-id", b"serve_multiplexed_model_id"}
)
"""Headers with which a client could steer Serve."""

logger = structlog.get_logger(__name__)


def middlewares() -> list[Middleware]:
    """Serve's callback."""
    configure_uvicorn()
    return [Middleware(EdgeMiddleware, settings=get_settings())]


def configure_uvicorn() -> None:
    """Replace uvicorn.Config, which Serve reads right after this, by one with our options."""
    base: Any = uvicorn.Config
    if getattr(base, "is_mobula", False):
        return

    class EdgeConfig(base):  # type: ignore[misc]
        is_mobula = True

        def __init__(self, app: Any, *args: Any, **kwargs: Any) -> None:
            kwargs.update(
                **protocols(app() if kwargs.get("factory") else app),
                ws_per_message_deflate=False,  # 60 KB per socket, and frames could not be shared
                ws_max_size=MAX_FRAME_BYTES,
                ws_ping_interval=None,  # the protocol has its own
                server_header=False,
                proxy_headers=False,  # `EdgeMiddleware` does it
            )
            super().__init__(app, *args, **kwargs)

    uvicorn.Config = EdgeConfig  # type: ignore[misc]


def protocols(app: Any) -> dict[str, Any]:
    """Uvicorn's protocol classes: ours, except where everything is refused (the fallback proxy).

    There uvicorn's own do, and the process is spared the whole realtime application (30 MB).
    """
    if isinstance(app, EdgeMiddleware) and not app.is_replica:
        return {"http": "httptools", "ws": "websockets-sansio"}
    from serve_app.edge.streaming import StreamProtocol  # noqa: PLC0415 - only where it serves
    from serve_app.edge.websocket import TransportProtocol  # noqa: PLC0415 - as above

    return {"http": StreamProtocol, "ws": TransportProtocol}


class EdgeMiddleware:
    """Sees every request first. Serves only what belongs to the application of which this process is a replica."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._replica = OwnReplica.behind(app)
        self._forwarded = ForwardedAddresses(proxies.trusted(settings), proxies.token(settings))
        self._watch: asyncio.Task[None] | None = None

    @property
    def is_replica(self) -> bool:
        """Whether anything can be served here."""
        return self._replica is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, hand on to Serve, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if self._replica is not None and self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._watch_drain(self._replica))
        path: str = scope["path"]
        if path.startswith(SERVE_PATHS):
            await self._app(scope, receive, send)
            return
        application = self._application(scope["type"], path)
        if application is None:
            detail = "No replica of this application answers here. Try again."
            await refuse(scope, receive, send, status=503, code="unavailable", detail=detail)
            return
        await self._forwarded.correct(scope, receive, send)
        if self._settings.serve_machinery:
            await self._through_serve(scope, receive, send)
        elif scope["type"] == "http":
            with ONGOING:
                await application(scope, receive, send)
        else:
            await application(scope, receive, send)

    def _application(self, kind: str, path: str) -> ASGIApp | None:
        """The replica's application, if this request is for it and it can serve."""
        replica = self._replica
        if replica is None:
            return None
        prefix = names.REALTIME_ROUTE_PREFIX
        is_realtime = path == prefix or path.startswith(f"{prefix}/")
        wanted = names.REALTIME_APPLICATION if is_realtime else names.API_APPLICATION
        if replica.application != wanted or (kind == "websocket" and replica.is_shutting_down):
            return None
        return replica.asgi_app

    async def _through_serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"] = [header for header in scope["headers"] if header[0] not in TRUSTED_BY_SERVE]
        offered = scope.get("extensions", {})
        scope["extensions"] = {name: each for name, each in offered.items() if name not in (EXTENSION, LINES)}
        if scope["type"] == "websocket":
            # Without this header Serve reads ahead without bound and cancels the handler at a disconnect, losing
            # what the client had sent (DESIGN D9).
            scope["headers"] = [*scope["headers"], (b"x-request-disconnect-disabled", b"?1")]
        await self._app(scope, receive, send)

    async def _watch_drain(self, replica: OwnReplica) -> None:
        while not replica.is_shutting_down:  # noqa: ASYNC110 - Serve sets a flag and tells nobody
            await asyncio.sleep(DRAIN_LOOK_S)
        application: Any = replica.asgi_app
        logger.info("replica_draining", application=replica.application, requests=ONGOING.requests)
        drain = getattr(application, "drain", None)
        if drain is not None:
            await drain(max(self._settings.drain_seconds - DRAIN_RESERVE_S, 1.0))
