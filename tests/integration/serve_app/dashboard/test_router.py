"""The dashboard."""

import httpx

from actors.metrics.snapshot import Family, Sample
from tests.factories.orders import make_order
from tests.fixtures.client import Api, SignIn, assert_problem


async def test_ones_own_or_everybodys(api: Api, sign_in: SignIn, analyst_client: httpx.AsyncClient):
    mine, theirs = await sign_in(), await sign_in()
    async with api.database.transaction() as session:
        order = await make_order(session, mine.user)
        await make_order(session, theirs.user, quantity=2)
    own = (await mine.http.get("/api/v1/dashboard")).json()
    assert (own["scope"], own["orders_total"], own["revenue_today"], own["users"]) == ("own", 1, "9.90", None)
    assert [item["id"] for item in own["recent_orders"]] == [str(order.id)]
    everybody = (await analyst_client.get("/api/v1/dashboard")).json()
    assert (everybody["scope"], everybody["orders_total"], everybody["revenue_today"]) == ("all", 2, "29.70")
    assert everybody["users"] == 3
    assert len(everybody["daily"]) == 14


async def test_connections_come_from_all_processes(api: Api, authenticated_client: httpx.AsyncClient):
    assert (await authenticated_client.get("/api/v1/dashboard")).json()["connections"] is None

    async def merged() -> tuple[Family, ...]:
        return (Family("active_connections", "gauge", "", (Sample("active_connections", (), 7.0),)),)

    api.resources.actors.merged_metrics = merged
    assert (await authenticated_client.get("/api/v1/dashboard")).json()["connections"] == 7

    async def broken() -> tuple[Family, ...]:
        raise TimeoutError

    api.resources.actors.merged_metrics = broken
    assert (await authenticated_client.get("/api/v1/dashboard")).json()["connections"] is None


async def test_needs_a_credential(client: httpx.AsyncClient):
    assert_problem(await client.get("/api/v1/dashboard"), 401, "authentication_required")
