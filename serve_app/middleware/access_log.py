"""One line per request, and the last place where an exception can arrive."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from cluster import tracing
from cluster.logging import Sink, get_logger, identity, sink
from serve_app.errors import internal_problem
from serve_app.middleware.context import AddressFinder, route_template
from serve_app.middleware.probes import PROBES
from serve_app.middleware.response import response_notes

FLUSH_EVERY_S = 0.25
FLUSH_LINES = 512
"""Bounds what a crash can take along, and what lines hold in memory."""

logger = get_logger("mobula.access")


class AccessLines:
    """Writes access lines in batches: one line through the logging machinery costs as much as a small request."""

    def __init__(self, stream: Sink | None = None) -> None:
        self._stream = stream
        self._records: list[dict[str, Any]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, record: dict[str, Any]) -> None:
        """Write this record soon. Values are method, route, path and numbers: nothing that needs redaction."""
        self._records.append(record)
        if len(self._records) >= FLUSH_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_EVERY_S, self.flush)

    def flush(self) -> None:
        """Write what there is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        records, self._records = self._records, []
        if records:
            lines = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
            stream = self._stream or sink()
            stream.write(lines.decode())
            stream.flush()


class AccessLogMiddleware:
    """Logs method, route template, status and duration. Query strings are left out: they may hold signatures."""

    def __init__(self, app: ASGIApp, *, addresses: AddressFinder, lines: AccessLines) -> None:
        self._app = app
        self._addresses = addresses
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method, path = scope["method"], scope["path"]
        notes = response_notes(scope)
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            # FastAPI's outermost layer answers 500 and raises again, for servers that log; the handler has logged it.
            # Before an answer, the exception came from a layer of ours.
            if notes.status == 0:
                logger.exception("request failed outside the application", exc_info=error)
                await internal_problem(scope)(scope, receive, send)
        finally:
            if not path.startswith(PROBES):  # their lines would bury the others
                principal = scope.get("principal")
                self._lines.add(
                    {
                        **identity(),
                        "event": "request",
                        "level": "info",
                        "logger": "mobula.access",
                        "timestamp": datetime.now(UTC),
                        "request_id": scope.get("request_id"),
                        "method": method,
                        "route": route_template(scope),
                        "path": path,
                        "status": notes.status,
                        "duration_ms": round((time.perf_counter() - started) * 1000, 2),
                        "address": self._addresses.find(scope),
                        "user_id": None if principal is None else str(principal.user_id),
                        **tracing.current(),
                    }
                )
