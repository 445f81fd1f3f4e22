"""Counts and durations per route template."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.metrics.registry import HTTP_REQUEST_DURATION, HTTP_REQUESTS, REQUESTS_IN_FLIGHT
from serve_app.middleware.context import route_template


class HttpMetricsMiddleware:
    """Feeds `http_requests_total` and `http_request_duration_seconds`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        status = 500
        started = time.perf_counter()

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        REQUESTS_IN_FLIGHT.inc()
        try:
            await self._app(scope, receive, send_counted)
        finally:
            REQUESTS_IN_FLIGHT.dec()
            route = route_template(scope)
            HTTP_REQUESTS.labels(method, route, status).inc()
            HTTP_REQUEST_DURATION.labels(method, route).observe(time.perf_counter() - started)
