"""One HTTP request as ASGI, without a server."""

from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp

from serve_app.middleware.response import ResponseNotesMiddleware


class Exchange:
    """A request to send through a middleware, and what came back."""

    def __init__(
        self,
        method: str = "GET",
        path: str = "/api/v1/things",
        *,
        query: str = "",
        body: Iterable[bytes] = (b"",),
        client: str = "192.0.2.1",
        **headers: str,
    ) -> None:
        """Header names are given with underscores."""
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "client": (client, 50_000),
            "server": ("api.test", 80),
        }
        self._body = list(body)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        chunk = self._body.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(self._body)}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))

    async def through(self, app: ASGIApp) -> "Exchange":
        """Send it through a layer, inside the one that writes what layers note."""
        await ResponseNotesMiddleware(app)(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


class Answer:
    """An application that answers, and remembers the scope that it saw."""

    def __init__(self, status: int = 200, body: bytes = b"{}", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.status, self.body, self.headers = status, body, list(headers)
        self.scope: Any = None
        self.received = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = dict(scope)
        more = scope["type"] == "http" and scope["method"] not in ("GET", "HEAD")
        while more:
            message = await receive()
            self.received += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})
