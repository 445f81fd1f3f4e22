"""Live figures."""

import json

import msgspec
import pytest

from actors.metrics.snapshot import Family, Sample
from tasks.dashboard import publish
from tests.factories.orders import make_order
from tests.fixtures.jobs import Bench


async def test_publishes_today_s_figures(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def merged(method: str, payload: bytes, timeout_s: float) -> bytes:
        samples = (
            Sample("active_connections", (("pid", "1"),), 3.0),
            Sample("active_connections", (("pid", "2"),), 4.0),
        )
        return msgspec.msgpack.encode((Family("active_connections", "gauge", "", samples),))

    monkeypatch.setattr(publish.metrics, "call", merged)
    async with bench.database.transaction() as session:
        order = await make_order(session)
    await bench.enqueue("dashboard.publish", {}, queue="solo")
    jobs = [job for job in await bench.claim() if job.kind == "dashboard.publish"]
    outcome = await bench.run(jobs[0])
    assert outcome.state == "succeeded", outcome.error
    published = {channel: json.loads(data) for channel, data in bench.recorder.published}
    assert set(published) == {"dashboard:live", "sales:live"}
    assert published["sales:live"] == {
        "type": "sales",
        "orders_today": 1,
        "revenue_today": f"{order.total_amount:.2f}",
    }
    figures = published["dashboard:live"]
    # Anybody who is signed in reads these: nothing of the shop may be among them.
    assert set(figures) == {"type", "connections", "jobs_running", "jobs_waiting"}
    assert (figures["type"], figures["connections"]) == ("stats", 7)
    assert figures["jobs_waiting"] == 0
    assert figures["jobs_running"] >= 1  # the events of the order, claimed beside it


async def test_without_actors_connections_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(method: str, payload: bytes, timeout_s: float) -> bytes:
        raise ConnectionError

    monkeypatch.setattr(publish.metrics, "call", away)
    assert await publish.count_connections() is None
