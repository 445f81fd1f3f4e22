"""What a handler's database error leaves behind."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from cluster import logging as mobula_logging
from db.auth.models import User
from tasks import runner
from tasks.context import JobContext
from tests.fixtures.jobs import Bench


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    import logging

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_a_failed_insert_shows_nobody_s_data_in_the_log_or_at_the_job(
    bench: Bench, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def insert(job: JobContext) -> None:
        async with job.transaction() as session:
            session.add(User(email="ada@example.org", username=None, password_hash="hunter2hunter2"))

    monkeypatch.setattr(runner, "load_handler", lambda _: insert)
    mobula_logging.configure(bench.settings, process="agent", stream=log)
    monkeypatch.setattr(runner, "logger", mobula_logging.get_logger("tasks.runner"))
    await bench.enqueue("orders.advance", {})
    (job,) = await bench.claim()
    outcome = await bench.run(job)
    assert outcome.state == "failed"
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    logged = next(line["exception"] for line in lines if line["event"] == "job failed")
    for text in (outcome.error or "", logged):
        assert "null value in column" in text
        assert "hunter2" not in text
        assert "ada@example.org" not in text
