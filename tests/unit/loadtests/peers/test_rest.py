"""The plain FastAPI peer without a database: the trivial route answers. Its list is exercised by `bench rest`."""

import httpx

from loadtests.peers.rest import app


async def test_trivial_route() -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://peer") as http:
        answer = await http.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_describes_the_same_list_as_ours() -> None:
    parameters = app.openapi()["paths"]["/api/v1/products"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {"page", "limit"}
