"""/metrics."""

import httpx
import pytest

from actors.metrics.registry import REGISTRY
from actors.metrics.snapshot import Snapshot, add, take
from db.errors import DatabaseUnavailable
from db.session import Database
from tests.fixtures.client import Api, StartApi, assert_problem


def value(text: str, sample: str) -> float:
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(sample + " ")))


async def test_counts_by_route_template(api: Api):
    async with api.client(address="127.0.0.1") as local:
        for number in range(3):
            await local.get(f"/api/v1/products/00000000-0000-7000-8000-00000000000{number}")
        await local.get("/no/such/path/at/all")
        await local.head("/api/v1/categories")
        text = (await local.get("/metrics")).text
    one = 'http_requests_total{endpoint="/api/v1/products/{product_id}",method="GET",status="404"}'
    assert value(text, one) >= 3
    assert value(text, 'http_requests_total{endpoint="__unmatched__",method="GET",status="404"}') >= 1
    assert value(text, 'http_requests_total{endpoint="/api/v1/categories",method="HEAD",status="200"}') >= 1
    assert "http_request_duration_seconds_bucket" in text
    assert value(text, "database_connection_pool_size") >= 0
    assert "# TYPE http_requests_total counter" in text
    assert "/no/such" not in text


async def test_all_processes_are_added_up(api: Api):
    async def merged() -> Snapshot:
        mine = take(REGISTRY)
        return add((mine, mine))

    async with api.client(address="127.0.0.1") as local:
        await local.get("/api/v1/categories")
        alone = (await local.get("/metrics")).text
        api.resources.actors.merged_metrics = merged
        both = (await local.get("/metrics")).text
        sample = 'http_requests_total{endpoint="/api/v1/categories",method="GET",status="200"}'
        assert value(both, sample) == 2 * value(alone, sample)

        async def broken() -> Snapshot:
            raise TimeoutError

        api.resources.actors.merged_metrics = broken
        assert value((await local.get("/metrics")).text, sample) == value(alone, sample)


async def test_what_waits_in_tables_is_beside_them_unless_the_database_is_away(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api.client(address="127.0.0.1") as local:
        text = (await local.get("/metrics")).text
        assert value(text, "outbox_publications") == 0
        assert "# TYPE queued_jobs gauge" in text

        async def away(database: Database) -> Snapshot:
            raise DatabaseUnavailable

        monkeypatch.setattr("serve_app.metrics.router.read_tables", away)
        without = await local.get("/metrics")
    assert without.status_code == 200
    assert "outbox_publications" not in without.text
    assert "# TYPE http_requests_total counter" in without.text


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1"}, {"Authorization": "Bearer guess"}])
async def test_strangers_are_refused(client: httpx.AsyncClient, headers: dict[str, str]):
    assert_problem(await client.get("/metrics", headers=headers), 401, "authentication_required")


async def test_a_caller_behind_the_proxy_is_a_stranger(api: Api):
    async with api.client(address="127.0.0.1") as proxied:
        response = await proxied.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        assert_problem(response, 401, "authentication_required")


async def test_with_a_token(start_api: StartApi):
    api = await start_api(metrics_token="scrape me")
    async with api.client() as client:
        assert (await client.get("/metrics", headers={"Authorization": "Bearer scrape me"})).status_code == 200
        refused = await client.get("/metrics", headers={"Authorization": "Bearer scrape"})
        assert_problem(refused, 401, "authentication_required")
