"""CORS: which pages of other origins may read answers."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from serve_app.middleware.context import request_headers


class OriginMiddleware(CORSMiddleware):
    """Starlette's, entered only by requests that have an Origin: programs and our own pages' GETs have none."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and b"origin" not in request_headers(scope):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
