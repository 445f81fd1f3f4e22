"""Where a problem's `type` leads."""

import httpx

from tests.fixtures.client import assert_problem


async def test_every_type_has_its_page(client: httpx.AsyncClient):
    problem = assert_problem(await client.get("/api/v1/orders"), 401, "authentication_required")
    page = await client.get(problem["type"])
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "401" in page.text


async def test_others_have_none(client: httpx.AsyncClient):
    assert_problem(await client.get("/problems/no_such"), 404, "problem_unknown")
    assert_problem(await client.get("/problems/<script>"), 404, "problem_unknown")
