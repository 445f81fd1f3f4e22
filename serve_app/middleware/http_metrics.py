"""Counts and durations per route template."""

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from actors.metrics.registry import HTTP_REQUEST_DURATION, HTTP_REQUESTS, REQUESTS_IN_FLIGHT
from serve_app.middleware.context import route_template
from serve_app.middleware.response import response_notes


class HttpMetricsMiddleware:
    """Feeds `http_requests_total` and `http_request_duration_seconds`.

    The metrics' children are looked up once per method, route and status: there are few, and the look-up costs more
    than the counting.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._counters: dict[tuple[str, str, int], Callable[[], None]] = {}
        self._timers: dict[tuple[str, str], Callable[[float], None]] = {}
        self._in_flight = 0
        REQUESTS_IN_FLIGHT.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        started = time.perf_counter()
        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            status = response_notes(scope).status or 500
            self._count(method, route_template(scope), status, time.perf_counter() - started)

    def _count(self, method: str, route: str, status: int, duration_s: float) -> None:
        counter, timer = self._counters.get((method, route, status)), self._timers.get((method, route))
        if counter is None:
            counter = self._counters[method, route, status] = HTTP_REQUESTS.labels(method, route, status).inc
        if timer is None:
            timer = self._timers[method, route] = HTTP_REQUEST_DURATION.labels(method, route).observe
        counter()
        timer(duration_s)
