"""The short way for probes."""

from starlette.types import ASGIApp, Receive, Scope, Send

PROBES = ("/health", "/metrics")
"""Asked every second or so, by machines, without credentials, bodies or origins."""


class ProbeBypass:
    """Hands probes past the layers that have nothing to do for them."""

    def __init__(self, app: ASGIApp, short: ASGIApp) -> None:
        self._app = app
        self._short = short

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"].startswith(PROBES):
            await self._short(scope, receive, send)
        else:
            await self._app(scope, receive, send)
