import asyncio
from typing import Any

import pytest
import uvicorn

from actors.protocol.codec import MAX_FRAME_BYTES
from cluster import names, proxies
from cluster.settings import Settings
from serve_app.edge import hook
from serve_app.edge.arrival import EXTENSION, LINES
from serve_app.edge.hook import EdgeMiddleware
from serve_app.edge.streaming import StreamProtocol
from serve_app.edge.websocket import TransportProtocol
from tests.fixtures.imports import loaded_by


class Application:
    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.drained: float | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)

    async def drain(self, window_s: float) -> None:
        self.drained = window_s


class Replica:
    """Stands for `OwnReplica`."""

    def __init__(self, application: str) -> None:
        self.application = application
        self.asgi_app: Application | None = Application()
        self.is_shutting_down = False


class Edge:
    def __init__(self, application: str | None, **settings: Any) -> None:
        self.serve = Application()
        self.middleware = EdgeMiddleware(self.serve, Settings(_env_file=None, **settings))  # type: ignore[call-arg]
        self.replica = Replica(application) if application else None
        self.middleware._replica = self.replica  # type: ignore[assignment]
        self.sent: list[dict[str, Any]] = []

    async def request(self, kind: str, path: str, **scope: Any) -> str:
        """Who answered: `application`, `serve`, or the status of a refusal."""

        async def send(message: Any) -> None:
            self.sent.append(message)

        async def receive() -> Any:
            return {"type": f"{kind}.connect"}

        before = len(self.sent)
        full = {"type": kind, "path": path, "headers": [], "extensions": {}, **scope}
        await self.middleware(full, receive, send)
        if len(self.sent) > before:
            return str(self.sent[before].get("status") or self.sent[before].get("code"))
        if self.replica and self.replica.asgi_app and full in self.replica.asgi_app.scopes:
            return "application"
        return "serve" if full in self.serve.scopes else "nobody"

    async def stop(self) -> None:
        if self.middleware._watch is not None:
            self.middleware._watch.cancel()


@pytest.mark.parametrize(
    ("application", "kind", "path", "answer"),
    [
        ("realtime", "websocket", "/connection/websocket", "application"),
        ("realtime", "http", "/connection/health", "application"),
        ("realtime", "http", "/api/v1/products", "503"),
        ("realtime", "http", "/connections", "503"),
        ("api", "http", "/api/v1/products", "application"),
        ("api", "http", "/health", "application"),
        ("api", "websocket", "/connection/websocket", "1013"),
        ("api", "http", "/connection/health", "503"),
        ("other", "http", "/health", "503"),
        ("realtime", "http", "/-/healthz", "serve"),
        ("api", "http", "/-/routes", "serve"),
        ("api", "lifespan", "", "serve"),
        (None, "http", "/-/healthz", "serve"),
        (None, "http", "/health", "503"),
        (None, "websocket", "/connection/websocket", "1013"),
    ],
)
async def test_a_process_serves_only_what_it_is_a_replica_of(
    application: str | None, kind: str, path: str, answer: str
) -> None:
    edge = Edge(application)
    assert await edge.request(kind, path) == answer
    await edge.stop()


async def test_a_replica_that_is_not_initialised_refuses() -> None:
    edge = Edge("api")
    assert edge.replica is not None
    edge.replica.asgi_app = None
    assert await edge.request("http", "/health") == "503"
    await edge.stop()


async def test_headers_that_steer_serve_are_taken_from_clients() -> None:
    edge = Edge("api", serve_machinery=True)
    headers = [(b"x-request-timeout-seconds", b"0"), (b"x-session-id", b"1"), (b"accept", b"*")]
    assert await edge.request("http", "/health", headers=headers) == "serve"
    assert edge.serve.scopes[0]["headers"] == [(b"accept", b"*")]
    await edge.stop()


async def test_the_caller_is_whom_the_proxy_names() -> None:
    edge = Edge("api")
    headers = [(b"x-forwarded-for", b"203.0.113.9")]
    await edge.request("http", "/health", headers=headers, client=("127.0.0.1", 5), scheme="http")
    await edge.request("http", "/health", headers=headers, client=("198.51.100.1", 5), scheme="http")
    assert edge.replica is not None
    assert edge.replica.asgi_app is not None
    assert [scope["client"] for scope in edge.replica.asgi_app.scopes] == [("203.0.113.9", 0), ("198.51.100.1", 5)]
    await edge.stop()


async def test_the_caller_is_whom_a_known_balancer_or_another_nodes_haproxy_names() -> None:
    edge = Edge("api", forwarded_for_from=["10.0.0.5"], secret_key="a-secret-key")
    through_balancer = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"10.0.0.5")]
    await edge.request("http", "/health", headers=through_balancer, client=("127.0.0.1", 5), scheme="http")
    proof = (names.PROXY_HEADER.encode(), proxies.token(edge.middleware._settings).encode())
    from_node = [(b"x-forwarded-for", b"203.0.113.10"), proof]
    await edge.request("http", "/health", headers=from_node, client=("10.0.0.12", 5), scheme="http")
    assert edge.replica is not None
    assert edge.replica.asgi_app is not None
    assert [scope["client"][0] for scope in edge.replica.asgi_app.scopes] == ["203.0.113.9", "203.0.113.10"]
    await edge.stop()


async def test_the_switch_leads_through_serves_machinery() -> None:
    edge = Edge("realtime", serve_machinery=True)
    assert await edge.request("http", "/connection/health") == "serve"
    headers = [(b"x-request-disconnect-disabled", b"?0")]
    extensions = {EXTENSION: object(), LINES: {}, "websocket.http.response": {}}
    assert await edge.request("websocket", "/connection/websocket", headers=headers, extensions=extensions) == "serve"
    scope = edge.serve.scopes[-1]
    assert scope["headers"] == [(b"x-request-disconnect-disabled", b"?1")]
    assert scope["extensions"] == {"websocket.http.response": {}}
    await edge.stop()


async def test_a_replica_that_shuts_down_refuses_sockets_and_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "DRAIN_LOOK_S", 0.0)
    edge = Edge("realtime", drain_seconds=30)
    assert await edge.request("websocket", "/connection/websocket") == "application"
    assert edge.replica is not None
    edge.replica.is_shutting_down = True
    assert await edge.request("websocket", "/connection/websocket") == "1013"
    assert edge.middleware._watch is not None
    await asyncio.wait_for(edge.middleware._watch, 5)
    assert edge.replica.asgi_app is not None
    assert edge.replica.asgi_app.drained == 25.0


def test_uvicorn_is_configured_once_for_many_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "Config", uvicorn.config.Config)
    hook.configure_uvicorn()
    configured = uvicorn.Config
    hook.configure_uvicorn()
    assert uvicorn.Config is configured
    config = uvicorn.Config(Application(), ws_max_size=1 << 30)
    assert config.ws is TransportProtocol
    assert config.http is StreamProtocol
    assert config.ws_max_size == MAX_FRAME_BYTES
    assert config.ws_per_message_deflate is False
    assert config.ws_ping_interval is None
    assert config.proxy_headers is False


def test_where_everything_is_refused_uvicorns_own_protocols_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "Config", uvicorn.config.Config)
    hook.configure_uvicorn()
    serving, refusing = Edge("api").middleware, Edge(None).middleware
    assert uvicorn.Config(lambda: serving, factory=True).ws is TransportProtocol
    config = uvicorn.Config(lambda: refusing, factory=True)
    assert (config.http, config.ws) == ("httptools", "websockets-sansio")
    assert config.ws_max_size == MAX_FRAME_BYTES


def test_a_process_that_only_refuses_loads_no_application() -> None:
    loaded = loaded_by("serve_app.edge.hook")
    assert not {"serve_app.realtime", "serve_app.app", "actors.brokers", "db", "sqlalchemy", "asyncpg"} & loaded


def test_serve_is_given_the_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "Config", uvicorn.config.Config)
    (middleware,) = hook.middlewares()
    assert middleware.cls is EdgeMiddleware
