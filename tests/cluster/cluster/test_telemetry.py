"""Every kind of process keeps a log, sends spans and reports errors. One stack, a collector and a Sentry server."""

import json
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from cluster.stack import daemon_state
from tests.fixtures.collectors import Heard, HeardSpan, listening
from tests.fixtures.stack import RunningStack, start_stack, stop_stack
from tests.fixtures.waiting import eventually

KINDS = ("up", "deploy", "api", "realtime", "host", "supervisor", "agent", "worker")
SECRET = "hunter2hunter2"

BREAK_ORDERS = f"""
CREATE FUNCTION app.break_orders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'orders are broken, password={SECRET}'; END $$;
CREATE TRIGGER break_orders BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.break_orders();
"""
MEND_ORDERS = "DROP FUNCTION IF EXISTS app.break_orders CASCADE"
ENQUEUE = """
WITH job AS (INSERT INTO jobs.jobs (id, queue, kind, args, max_attempts) VALUES ($1, $2, $3, '{}', 5))
INSERT INTO jobs.queue (id, queue, state) VALUES ($1, $2, 'ready')
"""


@pytest.fixture(scope="module")
def heard() -> Iterator[Heard]:
    with listening() as heard:
        yield heard


@pytest.fixture(scope="module")
def watched(heard: Heard) -> Iterator[RunningStack]:
    """A stack of its own that is told where the collector and the Sentry server are."""
    home = Path(tempfile.mkdtemp(prefix="mobula-telemetry-"))
    home.chmod(0o755)
    with pytest.MonkeyPatch.context() as given:
        given.setenv("OTEL_ENABLED", "true")
        given.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", heard.url)
        given.setenv("SENTRY_DSN", heard.dsn)
        try:
            stack = start_stack(home, "--no-frontend")
            yield stack
            stop_stack(stack)
        finally:
            shutil.rmtree(home, ignore_errors=True)


@asynccontextmanager
async def signed_in(stack: RunningStack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.http_url, timeout=30) as client:
        answer = await client.post(
            "/api/v1/auth/login", json={"email": "ada@mobula.localhost", "password": stack.demo_password}
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def place_order(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    products = (await client.get("/api/v1/products", params={"limit": 50})).json()["items"]
    product = next(each for each in products if each["stock"] > 0)
    return await client.post(
        "/api/v1/orders", json={"lines": [{"product_id": product["id"], "quantity": 1}]}, headers=headers
    )


async def enqueue(stack: RunningStack, queue: str, kind: str) -> uuid.UUID:
    """A job that its handler cannot do: it has no arguments."""
    job_id = uuid.uuid4()
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(ENQUEUE, job_id, queue, kind)
    finally:
        await connection.close()
    return job_id


def lines(stack: RunningStack, kind: str) -> list[dict[str, Any]]:
    """Everything that processes of this kind have said. Raises for a line that is no JSON."""
    files = [path for path in daemon_state.process_logs(stack.paths) if path.name.startswith(f"{kind}-")]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def trace_id() -> str:
    return uuid.uuid4().hex


def parent_of(trace: str) -> str:
    return f"00-{trace}-b7ad6b7169203331-01"


async def test_one_trace_shows_request_transaction_publication_and_job(watched: RunningStack, heard: Heard) -> None:
    trace = trace_id()
    async with signed_in(watched) as client:
        placed = await place_order(client, traceparent=parent_of(trace))
    assert placed.status_code == 201, placed.text

    def complete() -> dict[str, HeardSpan]:
        found = {span.name: span for span in heard.trace(trace)}
        assert {"POST /api/v1/orders", "publication", "job events.dispatch"} <= set(found), set(found)
        return found

    await eventually(complete, 30)
    spans = {span.id: span for span in heard.trace(trace)}
    [request] = [span for span in spans.values() if span.name == "POST /api/v1/orders"]
    assert (request.process, request.parent) == ("mobula-api", "b7ad6b7169203331")
    for name, process in (("publication", "mobula-host"), ("job events.dispatch", "mobula-agent")):
        one = next(span for span in spans.values() if span.name == name)
        assert one.process == process
        transaction = spans[one.parent]
        assert transaction.name == "db.transaction"
        assert spans[transaction.parent].id == request.id
    # What the job did belongs to it, and so to the request.
    job = next(span for span in spans.values() if span.name == "job events.dispatch")
    assert any(span.parent == job.id and span.name == "db.transaction" for span in spans.values())


async def test_a_job_in_a_worker_of_its_own_is_in_the_trace_too(watched: RunningStack, heard: Heard) -> None:
    trace = trace_id()
    async with signed_in(watched) as client:
        asked = await client.post(
            "/api/v1/exports",
            json={"dataset": "orders", "format": "csv"},
            headers={"traceparent": parent_of(trace)},
        )
        assert asked.status_code in (201, 202), asked.text

    def worker_and_what_it_published() -> bool:
        spans = {span.id: span for span in heard.trace(trace)}
        [job] = [span for span in spans.values() if span.name == "job exports.run"]
        published = [span for span in spans.values() if span.name == "publication"]
        its_own = [span for span in published if spans[span.parent].parent == job.id]
        return job.process == "mobula-worker" and any(span.process == "mobula-host" for span in its_own)

    await eventually(worker_and_what_it_published, 60, retry_on=(ValueError, KeyError))


async def test_a_publication_over_the_server_api_is_a_span(watched: RunningStack, heard: Heard) -> None:
    trace = trace_id()
    async with httpx.AsyncClient(base_url=watched.http_url, timeout=30) as client:
        answer = await client.post(
            "/api/publish",
            json={"channel": "room:telemetry", "data": {}},
            headers={"X-API-Key": watched.server_api_key, "traceparent": parent_of(trace)},
        )
        assert answer.status_code == 200, answer.text

    def published() -> bool:
        spans = {span.name: span for span in heard.trace(trace)}
        return spans["publication"].parent == spans["POST /api/publish"].id

    await eventually(published, 30, retry_on=(KeyError,))


async def test_a_500_is_in_the_log_at_once_and_at_sentry_without_its_secret(
    watched: RunningStack, heard: Heard
) -> None:
    connection = await asyncpg.connect(watched.database_url)
    request_id = f"telemetry-{uuid.uuid4().hex[:12]}"
    trace = trace_id()
    try:
        async with signed_in(watched) as client:
            await connection.execute(BREAK_ORDERS)
            answer = await place_order(client, **{"X-Request-ID": request_id, "traceparent": parent_of(trace)})
            assert answer.status_code == 500, answer.text
            # No further request: what failed is there before the answer is, its access line a moment later.
            said = [line for line in lines(watched, "api") if line.get("request_id") == request_id]
            [failure] = [line for line in said if line["level"] == "error"]
            assert "orders are broken" in failure["exception"]
            assert failure["trace_id"] == trace
            assert SECRET not in json.dumps(failure)
            answered = time.monotonic()

            def access_line() -> dict[str, Any]:
                found = [line for line in lines(watched, "api") if line["event"] == "request"]
                return next(line for line in found if line["request_id"] == request_id)

            line = await eventually(access_line, 5, retry_on=(StopIteration,))
            assert time.monotonic() - answered < 2.0
            assert (line["status"], line["route"], line["trace_id"]) == (500, "/api/v1/orders", trace)
    finally:
        await connection.execute(MEND_ORDERS)
        await connection.close()

    def reported() -> dict[str, Any]:
        return next(event for event in heard.events if event["tags"].get("request_id") == request_id)

    event = await eventually(reported, 15, retry_on=(StopIteration,))
    assert event["tags"]["process"] == "api"
    assert event["tags"]["trace_id"] == trace
    assert "orders are broken" in event["exception"]["values"][-1]["value"]
    assert SECRET not in json.dumps(event)
    await eventually(lambda: any(span.failed for span in heard.trace(trace)), 15)


@pytest.mark.parametrize(
    ("queue", "kind", "process"), [("mail", "mail.send", "agent"), ("exports", "exports.run", "worker")]
)
async def test_a_job_that_breaks_is_told_where_it_ran(
    watched: RunningStack, heard: Heard, queue: str, kind: str, process: str
) -> None:
    job_id = str(await enqueue(watched, queue, kind))

    def logged() -> dict[str, Any]:
        return next(line for line in lines(watched, process) if line.get("job_id") == job_id and "exception" in line)

    line = await eventually(logged, 60, retry_on=(StopIteration,))
    assert line["event"] == "job failed"
    assert line["job_kind"] == kind

    def reported() -> dict[str, Any]:
        return next(event for event in heard.events if event["tags"].get("job_id") == job_id)

    event = await eventually(reported, 15, retry_on=(StopIteration,))
    assert event["tags"]["process"] == process


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_process_writes_lines_of_json(watched: RunningStack, kind: str) -> None:
    said = await eventually(lambda: lines(watched, kind), 30)
    for line in said:
        assert {"timestamp", "level", "event", "process", "pid", "node"} <= set(line), line
        assert line["process"] == kind


async def test_serve_and_uvicorn_speak_in_the_log_of_their_process(watched: RunningStack) -> None:
    loggers = {str(line["logger"]).split(".")[0] for line in lines(watched, "api") + lines(watched, "realtime")}
    assert {"ray", "uvicorn"} & loggers, loggers


async def test_mobula_logs_shows_them_and_errors_alone(watched: RunningStack) -> None:
    job_id = str(await enqueue(watched, "mail", "mail.send"))
    await eventually(lambda: job_id in watched.run("logs", "--errors").stdout, 60)
    errors = watched.run("logs", "--errors").stdout
    assert "job failed" in errors
    assert "process started" not in errors
    everything = watched.run("logs").stdout
    for kind in KINDS:
        assert f"{kind}[" in everything or f"{kind}[" in watched.run("logs", kind).stdout, kind
    assert "mail" not in watched.run("logs", "realtime").stdout
