"""The api application: routers, errors, lifespan, and the chain around them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster import telemetry
from cluster.settings import Settings
from db.errors import Unavailable
from serve_app import errors, routers
from serve_app.docs.router import mount_docs
from serve_app.health.checks import look
from serve_app.health.sharing import SharedLook
from serve_app.middleware import chain
from serve_app.openapi import DESCRIPTION, TITLE, VERSION, build_openapi, operation_id
from serve_app.resources import Resources
from serve_app.routing import RouteIndex, register
from serve_app.wiring import connect_effects


class MobulaApi(FastAPI):
    """FastAPI inside the chain: outside even its own error layer, so that a 500 carries every header too."""

    chained: ASGIApp | None = None
    """The chain; None until the lifespan has opened what it needs."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the lifespan, or one request."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif self.chained is not None:
            await self.chained(scope, receive, send)
        else:
            await errors.domain_problem(scope, Unavailable("The process is starting."))(scope, receive, send)

    async def serve_unchained(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The innermost end of the chain."""
        await super().__call__(scope, receive, send)

    def open_chain(self, resources: Resources) -> None:
        """Begin to answer."""
        self.chained = chain.wrap(
            self.serve_unchained,
            resources.settings,
            authenticator=resources.authenticator,
            keeper=resources.keeper,
            addresses=resources.addresses,
            lines=resources.lines,
        )

    async def drain(self, _window_s: float) -> None:
        """The replica is being replaced (the edge says so): readiness fails, requests are still answered."""
        resources: Resources | None = getattr(self.state, "resources", None)
        if resources is not None:
            resources.draining = True


def build_app(settings: Settings, resources: Resources | None = None) -> MobulaApi:
    """The application. Its lifespan opens what it needs, or uses `resources`, which then stay the caller's to close."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        assert isinstance(app, MobulaApi)  # noqa: S101 - tells the type checker whose lifespan this is
        opened = resources if resources is not None else await open_resources(settings)
        connect_effects(opened)
        app.state.resources = opened
        app.state.settings = settings
        app.state.database = opened.database
        app.state.brokers = opened.actors.brokers
        app.state.sessions = opened.actors.sessions
        app.state.cache = opened.actors.cache
        health = app.state.health = SharedLook(partial(look, opened))
        app.open_chain(opened)
        try:
            yield
        finally:
            app.chained = None
            await health.close()
            opened.lines.flush()
            if resources is None:
                await opened.close()
            await telemetry.flush_aside()

    app = MobulaApi(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        separate_input_output_schemas=False,
        docs_url=None,  # our own page: FastAPI's loads its scripts from another host
        redoc_url=None,
        openapi_url=None if settings.environment == "production" else "/openapi.json",  # D-281
        telemetry={"tracing": False, "metrics": False, "logs": False},  # the chain does it; asking costs every request
        redirect_slashes=False,  # a redirect would lose the body, and tell wrong paths from right ones only halfway
    )
    app.state.settings = settings
    errors.install(app)
    for router in routers.VERSIONED:
        register(app, router, prefix=routers.API_PREFIX)
    for router in routers.UNVERSIONED:
        register(app, router)
    if settings.environment != "production":
        mount_docs(app)
    app.router.middleware_stack = RouteIndex(app.router.routes, app.router.app)
    app.openapi = build_openapi(app)  # type: ignore[method-assign]
    return app


async def open_resources(settings: Settings) -> Resources:
    """Connect to everything: the database, Valkey, and the actors."""
    from serve_app.actor_clients import open_resources as connect  # noqa: PLC0415 - imports Ray, which tests of REST do without

    return await connect(settings)
