"""Analytics events land in app.events."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.fixtures.jobs import Bench


async def test_events_are_appended(bench: Bench) -> None:
    user_id = str(uuid4())
    events = [{"event_type": "page.viewed", "payload": {"path": "/"}, "user_id": user_id}, {"event_type": "x" * 80}]
    await bench.enqueue("analytics.record", {"events": events})
    assert await bench.drain() == [("analytics.record", "succeeded")]
    async with bench.database.transaction() as session:
        rows = (
            await session.execute(text("SELECT event_type, user_id::text, payload FROM app.events ORDER BY id"))
        ).all()
    assert [tuple(row) for row in rows] == [("page.viewed", user_id, {"path": "/"}), ("x" * 50, None, {})]


@pytest.mark.parametrize("events", [None, [{"payload": {}}], [{"event_type": "x", "user_id": "?"}], ["x"], [{}] * 1001])
async def test_what_is_no_event_is_refused_for_good(bench: Bench, events: Any) -> None:
    await bench.enqueue("analytics.record", {"events": events})
    assert await bench.drain() == [("analytics.record", "refused")]


async def test_an_attempt_that_died_after_its_commit_does_not_count_twice(bench: Bench) -> None:
    await bench.enqueue("analytics.record", {"events": [{"event_type": "page.viewed"}] * 3})
    (job,) = await bench.claim()
    assert (await bench.run(job)).state == "succeeded"  # and its node dies before it can say so
    async with bench.database.transaction() as session:
        await session.execute(
            text("UPDATE jobs.queue SET state = 'ready', lease_owner = NULL, lease_no = NULL, node = NULL")
        )
    assert await bench.drain() == [("analytics.record", "succeeded")]
    async with bench.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM app.events")) == 3
        assert await session.scalar(text("SELECT result FROM jobs.history")) == {"events": 3}
