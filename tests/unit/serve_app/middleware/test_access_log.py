"""Access lines, and the last place where an exception can arrive."""

import io
import logging
from typing import Any

import orjson
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cluster import logging as mobula_logging
from cluster import tracing
from serve_app.middleware.access_log import FLUSH_LINES, AccessLines, AccessLogMiddleware
from serve_app.middleware.context import AddressFinder
from serve_app.middleware.tracing import TracingMiddleware
from tests.fakes.asgi import Exchange
from tests.fixtures.client import build_settings


async def answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("broken")


async def fail_late(scope: Any, receive: Any, send: Any) -> None:
    await answer(scope, receive, send)
    raise RuntimeError("broken")


async def lines_of(app: Any, exchange: Exchange) -> list[dict[str, Any]]:
    stream = io.StringIO()
    lines = AccessLines(stream)
    middleware = AccessLogMiddleware(app, addresses=AddressFinder([]), lines=lines)
    exchange.scope["request_id"] = "r-1"
    await exchange.through(middleware)
    lines.flush()
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


async def test_says_what_happened():
    (line,) = await lines_of(answer, Exchange())
    assert line["event"] == "request"
    assert (line["method"], line["status"], line["route"]) == ("GET", 204, "__unmatched__")
    assert (line["request_id"], line["address"], line["user_id"]) == ("r-1", "192.0.2.1", None)
    assert line["duration_ms"] >= 0


async def test_no_path_can_forge_a_line():
    lines = await lines_of(answer, Exchange(path='/a\n{"event":"forged"}'))
    assert len(lines) == 1


async def test_probes_are_quiet():
    assert await lines_of(answer, Exchange(path="/health/live")) == []
    assert await lines_of(answer, Exchange(path="/metrics")) == []


async def test_an_exception_of_a_layer_is_answered():
    exchange = Exchange()
    (line,) = await lines_of(fail, exchange)
    assert line["status"] == 500
    assert exchange.sent[0]["status"] == 500
    assert b"broken" not in exchange.sent[1]["body"]


async def test_an_exception_after_the_answer_changes_nothing():
    exchange = Exchange()
    (line,) = await lines_of(fail_late, exchange)
    assert line["status"] == 204
    assert len(exchange.sent) == 2


async def test_lines_are_written_in_batches_of_bounded_size():
    stream = io.StringIO()
    lines = AccessLines(stream)
    for _ in range(FLUSH_LINES - 1):
        lines.add({})
    assert stream.getvalue() == ""
    lines.add({})
    assert len(stream.getvalue().splitlines()) == FLUSH_LINES


async def test_other_protocols_pass():
    exchange = Exchange()
    exchange.scope["type"] = "websocket"
    assert await lines_of(answer, exchange) == []


async def test_a_line_names_its_process_and_its_trace():
    (line,) = await lines_of(answer, Exchange())
    assert "process" in line
    assert "trace_id" not in line
    tracing.configure(build_settings(otel_enabled=True), process="test", exporter=InMemorySpanExporter())
    try:
        stream = io.StringIO()
        lines = AccessLines(stream)
        logged = AccessLogMiddleware(answer, addresses=AddressFinder([]), lines=lines)
        await Exchange(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").through(
            TracingMiddleware(logged)
        )
        lines.flush()
    finally:
        tracing.shutdown()
    assert orjson.loads(stream.getvalue())["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


async def test_lines_go_where_the_process_logs():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    mobula_logging.configure(build_settings(), process="api", stream=stream)
    try:
        lines = AccessLines()
        lines.add({"event": "request"})
        lines.flush()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        mobula_logging._State.sink = None
    assert orjson.loads(stream.getvalue()) == {"event": "request"}
