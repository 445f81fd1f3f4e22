"""A span per request, when OpenTelemetry is on. Continues the caller's trace (W3C traceparent)."""

from starlette.types import ASGIApp, Receive, Scope, Send

from cluster.tracing import strangers_span
from serve_app.middleware.context import request_headers, route_template
from serve_app.middleware.response import response_notes

PROPAGATED = ("traceparent", "tracestate")


class TracingMiddleware:
    """Names spans by route template and describes them with the stable HTTP conventions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = request_headers(scope)
        carrier = {name: headers[name.encode()].decode("latin-1") for name in PROPAGATED if name.encode() in headers}
        method = scope["method"]
        with strangers_span(method, parent=carrier) as current:
            if current is None:  # this process does not trace
                await self._app(scope, receive, send)
                return
            current.set_attributes(
                {
                    "http.request.method": method,
                    "url.scheme": scope.get("scheme", "http"),
                    "url.path": scope["path"],
                    "network.protocol.version": scope.get("http_version", "1.1"),
                    "mobula.request_id": scope.get("request_id", ""),
                }
            )
            try:
                await self._app(scope, receive, send)
            finally:
                from opentelemetry.trace import StatusCode  # noqa: PLC0415 - loaded, since this process traces

                status = response_notes(scope).status or 500
                current.set_attribute("http.response.status_code", status)
                if status >= 500:
                    current.set_status(StatusCode.ERROR)
                    current.set_attribute("error.type", str(status))
                route = route_template(scope)
                current.set_attribute("http.route", route)
                current.update_name(f"{method} {route}")
